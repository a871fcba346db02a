"""Write the features of images to a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from foretell.cli.flags import ANY_DATA, MODEL, at_least, output, parse


@dataclass(frozen=True)
class Features:
    """Write the features of images, or of clips, to a file, a row each."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    data: Annotated[str, arg(help=ANY_DATA)]
    out: Annotated[Path, arg(help="the file: .npz (features, labels, files) or .parquet (file, label, features)")]
    split: Annotated[
        Literal["train", "test"], arg(help="of data that names its splits; without any, train is everything")
    ] = "train"
    batch: Annotated[int, arg(help="images at a time")] = 128
    device: str = "auto"


def features(args: list[str]) -> None:
    """Write features to a file: foretell features MODEL --data DATA --out F.parquet|F.npz [--split test]."""
    from foretell import hub
    from foretell.data import Captions, Clips, Photographs, load
    from foretell.errors import ForetellError
    from foretell.evaluate.encode import features as encoded
    from foretell.evaluate.features_file import ENDINGS, names, write_features
    from foretell.train.world import enter

    flags = parse(Features, args, "features")
    at_least(flags, batch=1)
    output("--out", flags.out, ENDINGS)
    model = hub.load(flags.model, enter(flags.device).device)
    reads = model.reads
    if not isinstance(reads, Photographs | Clips):  # before the data is read
        raise ForetellError(f"{flags.model} reads no images or clips, expected a model that does, such as iwm-mini")
    if isinstance(reads, Captions):
        reads = Photographs(reads.size)  # features need no captions
    data = load(flags.data, reads, split=flags.split)
    files = names(flags.data, reads, data, flags.split)
    z = encoded(model, data, batch=flags.batch, progress="encoding")
    write_features(flags.out, z, data, files)
    said = " with classes" if data.labels is not None else ""
    print(f"{flags.out}: {len(z):,} rows of {z.shape[1]} numbers{said}{' and files' if files else ''}")
