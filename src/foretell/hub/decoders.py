"""Find the decoder that shows a model's latents as pictures: the folder `decoder` in the model's own folder."""

from __future__ import annotations

from pathlib import Path

from foretell import hub
from foretell.errors import ForetellError
from foretell.method import Method
from foretell.methods.decoder import LatentDecoder, fingerprint

FOLDER = "decoder"


def decoder_of(model: Method, name: str | Path) -> LatentDecoder | None:
    """The decoder of a model's latents.

    Args:
        model: the model, loaded.
        name: its name or folder, as `foretell.load` takes it.

    Returns:
        The decoder in evaluation mode, on the model's device; None where the model has none.

    Raises:
        ForetellError: as `check_decoder`, or a file is damaged.
    """
    folder = hub.folder_of(name) / FOLDER
    if not (folder / "config.json").is_file():
        return None
    return check_decoder(hub.load(folder, next(model.parameters()).device), model, folder)


def check_decoder(decoder: Method, model: Method, source: str | Path) -> LatentDecoder:
    """Refuse what is no decoder of this model's latents. Errors call it `source`."""
    if not isinstance(decoder, LatentDecoder):
        raise ForetellError(
            f"{source} holds a {type(decoder).__name__}, expected a decoder: foretell decoder MODEL trains one"
        )
    if decoder.config.world != (own := fingerprint(model)):
        raise ForetellError(
            f"{source} decodes the latents of a model with the fingerprint {decoder.config.world}, and this one has "
            f"{own}: train its own by foretell decoder MODEL"
        )
    return decoder
