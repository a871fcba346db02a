"""A data set of torchvision that lies on disk already: `torchvision:CIFAR10:/data`."""

import difflib
import inspect
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from foretell.data.items import Item, Unusable
from foretell.data.source import Contents, Source, Splits, files_below, identity
from foretell.errors import ForetellError

from .decode import Raw

# torchvision names splits in these ways; the first that a data set knows is used.
NAMES = {
    "train": ("train", "trainval", "train-standard"),
    "test": ("test", "val", "valid"),
}


def find(spec: str) -> Splits:
    """The splits of `torchvision:NAME:ROOT`. Raises ForetellError for an unknown name or a missing root."""
    _, name, folder = (*spec.split(":", 2), "", "")[:3]
    if not name or not folder:
        raise ForetellError(f"{spec}: expected torchvision:NAME:ROOT, as in torchvision:CIFAR10:/data.")
    root = Path(folder).expanduser().resolve()
    if not root.is_dir():
        raise ForetellError(
            f"{spec}: there is no folder {root}; expected the root under which torchvision has stored {name}."
        )
    make = _class(name)
    parameters = inspect.signature(make).parameters
    if "root" not in parameters or name == "VisionDataset":
        raise ForetellError(f"{spec}: torchvision's {name} is not read from a folder; expected a data set on disk.")
    needed = [
        key
        for key, each in parameters.items()
        if key != "root" and each.default is each.empty and each.kind != each.VAR_KEYWORD
    ]
    if needed:
        raise ForetellError(
            f"{spec}: torchvision's {name} needs {', '.join(needed)} beside its root, which cannot be given here; "
            "expected a data set that needs its root alone: name the folder of its images or videos instead."
        )
    kept = root / str(
        getattr(make, "base_folder", name)
    )  # most data sets keep their files here; the root may contain those of others
    files = [str(kept), *map(str, files_below(kept if kept.is_dir() else root))]
    splits = ("train", "test") if {"train", "split", "image_set"} & set(parameters) else ("all",)
    return {
        split: Source(
            name=name if split == "all" else f"{name} ({split})",
            identity=identity("torchvision", name, split, files),
            read=partial(_read, spec, make, root, split),
        )
        for split in splits
    }


def _class(name: str) -> Callable[..., Any]:
    from torchvision import datasets

    if name not in datasets.__all__:
        known = {each.lower(): each for each in datasets.__all__}
        near = difflib.get_close_matches(name.lower(), known, 1)
        advice = f"did you mean {known[near[0]]}?" if near else "expected a name of torchvision.datasets."
        raise ForetellError(f"torchvision has no data set {name!r}; {advice}")
    return getattr(datasets, name)


def _read(spec: str, make: Callable[..., Any], root: Path, split: str) -> Contents:
    dataset, count = _opened(spec, make, root, split)
    classes = getattr(dataset, "classes", None) or getattr(dataset, "categories", None) or ()
    # ImageNet names a class by a tuple of synonyms.
    names = tuple(name[0] if isinstance(name, tuple) else str(name) for name in classes)

    def reader(index: int) -> Callable[[], tuple[Raw, int | None]]:
        def read() -> tuple[Raw, int | None]:
            from PIL import Image

            sample = dataset[index]
            image, target = sample[:2] if isinstance(sample, tuple) else (sample, None)
            if not isinstance(image, Image.Image):
                raise Unusable(f"torchvision gives {type(image).__name__}, not an image")
            # A box, a caption or a mask is no label.
            return image, target if isinstance(target, int) and not isinstance(target, bool) else None

        return read

    return Contents(count, names, (Item(f"number {n}", reader(n)) for n in range(count)))


def _opened(spec: str, make: Callable[..., Any], root: Path, split: str) -> tuple[Any, int]:
    parameters = inspect.signature(make).parameters
    fixed = {"root": root} | ({"download": False} if "download" in parameters else {})
    if "train" in parameters:
        choices = [{"train": split == "train"}]
    else:
        parameter = next((name for name in ("split", "image_set") if name in parameters), None)
        choices = [{parameter: name} for name in NAMES[split]] if parameter and split in NAMES else [{}]
    said = ""
    for choice in choices:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # from numpy, about the old pickles of CIFAR
                dataset = make(**fixed, **choice)
                return dataset, len(dataset)
        except ValueError as error:  # torchvision's answer to the name of a split that it does not know
            said = said or str(error)
        except Exception as error:
            said = str(error) or type(error).__name__
            break
    raise ForetellError(
        f"{spec}: torchvision cannot open the {split} split ({' '.join(said.split())}); expected the root "
        "that was given to torchvision when it fetched the data."
    )
