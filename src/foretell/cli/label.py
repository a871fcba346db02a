"""Name what pictures show, from labels that the caller gives."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from foretell.cli.flags import MODEL, PICTURES, Usage, output, parse


@dataclass(frozen=True)
class Label:
    """Name what pictures show: which of some labels fits best, by a model that knows words."""

    what: Annotated[
        Positional[tuple[str, ...]], arg(help=f"{MODEL}, that knows words; then pictures", metavar="MODEL IMAGE")
    ] = ()
    labels: Annotated[tuple[str, ...], arg(help='two or more, such as "a red apple" "a dog"')] = ()
    json: Annotated[bool, arg(help="print JSON: a list of {image, label, scores}")] = False
    out: Annotated[Path | None, arg(help="draw the pictures here (PNG), lit where the model looked")] = None
    device: str = "auto"


def label(args: list[str]) -> None:
    """Name what pictures show: foretell label MODEL IMAGE... --labels "a dog" "a cat" [--json] [--out out.png]."""
    import torch

    from foretell import hub, imagine
    from foretell import label as labelling
    from foretell.capabilities import EncodesText, require
    from foretell.errors import ForetellError
    from foretell.label.ask import distinct
    from foretell.progress import say
    from foretell.train.world import enter

    flags = parse(Label, args, "label")
    if len(flags.what) < 2:
        raise Usage("label needs a MODEL and an IMAGE (see foretell label --help)")
    name, *paths = flags.what
    labels = distinct(flags.labels)  # before anything is loaded
    output("--out", flags.out, PICTURES)
    model = hub.load(name, enter(flags.device).device)
    require(model, EncodesText, "labelling")
    read, wrong = {}, 0
    for path in paths:
        try:
            read[path] = imagine.read_image(path, model.config.encoder.image_size)
        except ForetellError as error:
            if len(paths) == 1:
                raise
            print(f"foretell: {error}", file=sys.stderr)
            wrong += 1
    found = labelling.ask(model, torch.stack([*read.values()]), labels) if read else []
    if flags.out and found:
        labelling.draw(found).save(flags.out)
        say(f"wrote {flags.out}")
    if flags.json:
        told = [{"image": p, "label": one.label, "scores": one.scores} for p, one in zip(read, found, strict=True)]
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for path, one in zip(read, found, strict=True):
            ranked = sorted(one.scores.items(), key=lambda item: -item[1])
            print(f"{path}: " + ", ".join(f"{name} {score:.1%}" for name, score in ranked))
    if wrong:
        raise ForetellError(f"{wrong} of {len(paths)} pictures could not be read")
