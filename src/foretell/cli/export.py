"""Write a model in another library's form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from foretell.cli.flags import MODEL, empty, parse
from foretell.hub.formats import Encoder, Format, Precision


@dataclass(frozen=True)
class Export:
    """Write a model in another library's form, or official weights in foretell's."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    out: Annotated[Path, arg(help="folder to write")]
    format: Annotated[
        Format,
        arg(
            help="huggingface: for transformers' IJepaModel or VJEPA2Model; onnx: an encoder for any runtime; timm or "
            "torchvision: a ViT or a ResNet under their names; foretell: config.json and safetensors"
        ),
    ] = "huggingface"
    encoder: Annotated[Encoder, arg(help="the encoder to write, for forms that have only one")] = "target"
    dtype: Annotated[Precision, arg(help="type to store numbers in")] = "float32"


def export(args: list[str]) -> None:
    """Write a model in another library's form: foretell export MODEL --out OUT [--format huggingface]."""
    from foretell import hub
    from foretell.hub import formats

    flags = parse(Export, args, "export")
    empty(flags.out)
    model = hub.load(flags.model)
    print(formats.export(model, flags.out, flags.format, flags.encoder, flags.dtype))
