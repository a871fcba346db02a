"""Any image file a person may have, as uint8 [3, size, size], or the reason why not.

The shorter side is resized to `size` and the centre square kept. Nothing here crashes on a bad file and
nothing warns: an image is converted or it is `Unusable`.
"""

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from foretell.data.items import Unusable

Raw: TypeAlias = Path | bytes | Image.Image | np.ndarray
T = TypeVar("T")

MAX_PIXELS = 200_000_000
# The colour behind transparent pixels is unknown. On black a dark subject would disappear, on white a bright one.
# Mid-grey is near the mean of photographs, so it adds the least contrast.
BEHIND = (128, 128, 128, 255)
# Named, because Pillow would also try formats that start other programs (EPS runs Ghostscript).
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF", "HEIF")
DEPTHS = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))
"""The largest values of the depths that integers usually have."""
SMOOTH = frozenset({"L", "LA", "RGB", "RGBA", "CMYK"})
"""Modes of images whose pixels can be averaged."""


def decode(raw: Raw, size: int) -> np.ndarray:
    """One image, from a path, the bytes of a file, or Pillow: uint8 [3, size, size].

    An animation gives its first frame. EXIF orientation is applied. Grey, palette and CMYK become RGB. Integers of more
    than 8 bits and floats are scaled by their own depth, not clipped. Transparency is laid over mid-grey.

    Raises Unusable, with the reason, for anything else: missing, empty, damaged, cut short, not an image, or
    of more than 200 megapixels.
    """
    with quiet_pillow():
        return decode_quiet(raw, size)


def decode_quiet(raw: Raw, size: int, narrow: Callable[[], object] = bool) -> np.ndarray:
    """As `decode`, for callers that are inside of `quiet_pillow`.

    narrow: called for a picture of more than 8 bits that uses less than a sixteenth of its range.
    """
    return _opened(raw, lambda image: _square(image, size, narrow))


def decode_shown(raw: Raw, size: int, side: int) -> tuple[np.ndarray, Image.Image]:
    """As `decode`, and the whole picture, small: upright, in RGB, at most `side` pixels wide and high."""
    with quiet_pillow():
        return _opened(raw, lambda image: (_square(image, size, bool), _small(image, side)))


def whole_quiet(raw: Raw) -> Image.Image:
    """The whole picture, upright and in RGB, for callers that are inside of `quiet_pillow`. Raises as `decode`."""
    return _opened(raw, _whole)


def _opened(raw: Raw, use: Callable[[Image.Image], T]) -> T:
    """What is made of an image that is open. Raises Unusable, with the reason."""
    try:
        if isinstance(raw, Image.Image):
            return use(raw)
        if isinstance(raw, np.ndarray):
            raise Unusable("not an image")
        if not (len(raw) if isinstance(raw, bytes) else raw.stat().st_size):
            raise Unusable("empty file")
        with Image.open(io.BytesIO(raw) if isinstance(raw, bytes) else raw, formats=_formats()) as image:
            return use(image)
    except Exception as error:  # Pillow's plugins raise errors of any type on bad files
        raise Unusable(reason(error)) from error


def _whole(image: Image.Image) -> Image.Image:
    _check_pixels(image)
    image.load()
    return _rgb(_upright(image.copy()), bool)


def _check_pixels(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise Unusable(f"{image.width} × {image.height} pixels are more than {MAX_PIXELS // 10**6} megapixels")


def _square(image: Image.Image, size: int, narrow: Callable[[], object]) -> np.ndarray:
    _check_pixels(image)
    if isinstance(image, ImageFile.ImageFile):
        image.draft(None, (2 * size, 2 * size))  # JPEG decodes 1/2, 1/4 or 1/8 in a fraction of the time
    image.load()
    # The square is cut first: so the other steps cost little for panoramas, and a rotated square is still the centre.
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = _upright(image.crop((left, top, left + side, top + side)))
    image = _rgb(image, narrow).resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3)
    return np.asarray(image).transpose(2, 0, 1)


def _small(image: Image.Image, side: int) -> Image.Image:
    """A loaded image. Of a JPEG that was decoded in part, all that is there."""
    if image.mode not in SMOOTH:  # of other modes Pillow would pick pixels
        image = _rgb(_upright(image.copy()), bool)
    scale = min(1.0, side / max(image.size))
    width, height = (max(1, round(scale * length)) for length in image.size)
    return _rgb(_upright(image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3)), bool)


def _upright(image: Image.Image) -> Image.Image:
    with suppress(Exception):  # broken EXIF says nothing about the picture
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _rgb(image: Image.Image, narrow: Callable[[], object]) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        grey = _eight_bits(np.asarray(image))
        if int(grey.max()) - int(grey.min()) < 16:
            narrow()
        image = Image.fromarray(grey)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, BEHIND), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """uint16, int32 or float32 of unstated range as uint8.

    The depth of integers is the smallest usual one that holds them, whatever their type: cameras and scanners write 12
    bits into 16. Floats within 0..1 are fractions, and within 0..255 are bytes. Any other range, as of heights or
    depths, is stretched from its minimum to its maximum.
    """
    whole = (1, 255) if values.dtype.kind == "f" else DEPTHS
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise Unusable("holds NaN or infinity, expected finite values")
    low, high = values.min(), values.max()
    top = next((top for top in whole if low >= 0 and high <= top), None)
    if top is None:
        values, top = values - low, max(high - low, 1e-12)
    return np.rint(values * (255 / top)).astype(np.uint8)


def reason(error: Exception) -> str:
    """A short phrase for a person, without the machine's own names for things."""
    match error:
        case Unusable():
            return str(error)
        case FileNotFoundError():
            return "the file does not exist (a broken link?)"
        case IsADirectoryError():
            return "a folder, expected a file"
        case PermissionError():
            return "no permission to read it"
        case UnidentifiedImageError():
            return "not an image, or damaged at its beginning"
        case Image.DecompressionBombError():
            return f"more than {MAX_PIXELS // 10**6} megapixels"
        case MemoryError():
            return "too large for the memory"
    return f"damaged: {error or type(error).__name__}"


def endings_of_images() -> frozenset[str]:
    """The endings of the files that `decode` reads, from Pillow; HEIC's where pillow-heif is installed."""
    _formats()
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in FORMATS)


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    if find_spec("pillow_heif"):
        import_module("pillow_heif").register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


_quiet_lock, _quiet_users, _quiet_undo = threading.Lock(), 0, ExitStack()


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Hold Pillow's warnings and set its limit on pixels.

    Both belong to the process, not to a thread, so the users are counted: the first sets, the last restores.
    """
    global _quiet_users
    with _quiet_lock:
        _quiet_users += 1
        if _quiet_users == 1:
            _quiet_undo.enter_context(warnings.catch_warnings())
            _quiet_undo.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
            warnings.filterwarnings("ignore", module=r"PIL\b")
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_users -= 1
            if _quiet_users == 0:
                _quiet_undo.close()
