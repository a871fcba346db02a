"""Every nasty kind of image is converted or skipped with a reason; nothing crashes, nothing warns."""

import contextlib
import io
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from foretell.data.images.decode import MAX_PIXELS, decode, quiet_pillow
from foretell.data.images.form import decode_all
from foretell.data.items import Item, Unusable
from foretell.errors import ForetellWarning

RED, BLUE = (255, 0, 0), (0, 0, 255)


def photo(width=40, height=30):
    """Red on the left, blue on the right, darker towards the bottom."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(1, 0.5, height))
    return Image.fromarray(np.rint(255 * np.stack([(1 - x) * y, 0 * x, x * y], -1)).astype(np.uint8))


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def flat(image):
    """The one colour of a decoded image, up to JPEG's loss."""
    assert np.ptp(image.reshape(3, -1), axis=1).max() <= 2
    return image[:, 0, 0].tolist()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_every_format(tmp_path, kind):
    (tmp_path / "image").write_bytes(saved(photo(), kind))
    image = decode(tmp_path / "image", 16)
    assert image.shape == (3, 16, 16)
    assert image.dtype == np.uint8
    reference = decode(photo(), 16).astype(int)
    assert np.abs(image - reference).mean() < 12


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "expected"),
    [
        ("1", 1, "PNG", [255, 255, 255]),
        ("L", 77, "PNG", [77, 77, 77]),
        ("P", 3, "PNG", None),
        ("RGB", RED, "PNG", [255, 0, 0]),
        ("CMYK", (0, 255, 255, 0), "TIFF", [255, 0, 0]),
        ("CMYK", (0, 255, 255, 0), "JPEG", [255, 0, 0]),
        ("YCbCr", (76, 85, 255), "TIFF", [254, 0, 0]),
        ("I;16", 65535, "PNG", [255, 255, 255]),
        ("I;16", 257 * 100, "PNG", [100, 100, 100]),
        ("I;16", 4095, "PNG", [255, 255, 255]),  # 12 bits
        ("I;16", 700, "PNG", [174, 174, 174]),  # 10 bits
        ("I", 102, "TIFF", [102, 102, 102]),  # bytes in 32 bits
        ("I;16", 257 * 100, "TIFF", [100, 100, 100]),
        ("I;16B", 257 * 100, "TIFF", [100, 100, 100]),
        ("I", 257 * 100, "TIFF", [100, 100, 100]),
        ("I", 257 * 100, "PPM", [100, 100, 100]),
        ("F", 0.4, "TIFF", [102, 102, 102]),
        ("F", 102.0, "TIFF", [102, 102, 102]),
        ("LA", (200, 0), "PNG", [128, 128, 128]),
        ("LA", (200, 255), "PNG", [200, 200, 200]),
        ("RGBA", (255, 0, 0, 0), "PNG", [128, 128, 128]),
        ("RGBA", (255, 0, 0, 255), "WEBP", [255, 0, 0]),
        ("RGBA", (255, 255, 255, 128), "TIFF", [192, 192, 192]),
    ],
)
def test_every_mode(mode, colour, kind, expected):
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    found = flat(decode(saved(Image.new(mode, (9, 7), colour), kind, **options), 4))
    if expected:
        assert np.abs(np.array(found) - expected).max() <= 2


def test_sixteen_bits_are_scaled_not_clipped():
    ramp = Image.fromarray(np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1)))
    row = decode(saved(ramp, "PNG"), 64)[0, 0].astype(int)
    np.testing.assert_allclose(row, np.linspace(0, 255, 64), atol=1)


@pytest.mark.parametrize("values", [[-5.0, 1000.0], [300.0, 301.0], [-3, 70000]])
def test_other_ranges_are_stretched(values):
    values = np.array(values, np.float32 if isinstance(values[0], float) else np.int32)
    image = decode(saved(Image.fromarray(np.stack([values, values])), "TIFF"), 2)
    assert image[:, :, 0].max() <= 12
    assert image[:, :, 1].min() >= 243


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_values_that_are_no_numbers(odd):
    half = np.array([[odd, 1.0], [0.5, 1.0]], np.float32)
    with pytest.raises(Unusable, match="holds NaN or infinity"):
        decode(saved(Image.fromarray(half), "TIFF"), 2)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_twelve_bits_in_sixteen_are_twelve_bits(bits):
    """Cameras and scanners write 10 to 14 bits into 16: by their type they would be nearly black."""
    ramp = Image.fromarray(np.tile(np.linspace(0, 2**bits - 1, 64).astype(np.uint16), (64, 1)))
    row = decode(saved(ramp, "PNG"), 64)[0, 0].astype(int)
    np.testing.assert_allclose(row, np.linspace(0, 255, 64), atol=1)


def test_pictures_that_use_a_small_part_of_their_range_are_told_of():
    dim = saved(Image.fromarray(np.array([[60000, 60100]], np.uint16).repeat(2, 0)), "PNG")
    wide = saved(Image.fromarray(np.array([[0, 60100]], np.uint16).repeat(2, 0)), "PNG")
    items = [Item(name, lambda data=data: (data, None)) for name, data in (("a", dim), ("b", wide), ("c", dim))]
    with pytest.warns(ForetellWarning, match=r"^a and 1 more use less than a sixteenth"):
        (decoded,) = decode_all(items, 2)
    assert len(decoded.columns["pixels"]) == 3


def test_palette_with_transparency():
    image = Image.new("P", (8, 8), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    assert flat(decode(saved(image, "PNG"), 4)) == [255, 0, 0]
    assert flat(decode(saved(image, "PNG", transparency=0), 4)) == [128, 128, 128]
    assert flat(decode(saved(image, "PNG", transparency=b"\x00\xff"), 4)) == [128, 128, 128]
    assert flat(decode(saved(image, "GIF", transparency=0), 4)) == [128, 128, 128]


def test_transparent_colour_of_an_image_without_alpha():
    assert flat(decode(saved(Image.new("RGB", (8, 8), RED), "PNG", transparency=RED), 4)) == [128] * 3
    assert flat(decode(saved(Image.new("L", (8, 8), 9), "PNG", transparency=9), 4)) == [128] * 3


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_first_frame_of_an_animation(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert flat(decode(data, 4)) == [255, 0, 0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind, orientation):
    """As in a viewer: Pillow's own transposition of the whole image, then resized."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(photo(48, 32), kind, exif=exif)
    upright = {
        1: lambda a: a,
        2: lambda a: a[:, :, ::-1],
        3: lambda a: a[:, ::-1, ::-1],
        4: lambda a: a[:, ::-1],
        5: lambda a: a.transpose(0, 2, 1),
        6: lambda a: a.transpose(0, 2, 1)[:, :, ::-1],
        7: lambda a: a.transpose(0, 2, 1)[:, ::-1, ::-1],
        8: lambda a: a.transpose(0, 2, 1)[:, ::-1],
    }[orientation](decode(saved(photo(48, 32), kind), 16))
    assert np.abs(decode(data, 16).astype(int) - upright).max() <= 8


def test_broken_exif_is_no_reason_to_skip():
    data = saved(photo(), "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff\x01\x12garbage")
    assert decode(data, 8).shape == (3, 8, 8)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2, 9000), (3, 1)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_tiny_and_stretched(size, kind):
    assert decode(saved(photo(*size), kind), 32).shape == (3, 32, 32)


def test_the_centre_is_kept():
    wide = Image.new("RGB", (90, 30), BLUE)
    wide.paste(RED, (30, 0, 60, 30))
    assert flat(decode(wide, 10)) == [255, 0, 0]
    assert flat(decode(wide.transpose(Image.Transpose.ROTATE_90), 10)) == [255, 0, 0]


def test_resizing_is_antialiased():
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (256, 128)))
    assert np.abs(decode(stripes, 16).astype(int) - 127.5).max() < 20


def test_draft_of_a_large_jpeg_is_the_same_picture():
    large = photo(1600, 1200)
    difference = decode(saved(large, "JPEG", quality=95), 32).astype(int) - decode(large, 32)
    assert np.abs(difference).max() <= 6


def png_header(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


JPEG = saved(photo(200, 200), "JPEG")
PNG = saved(photo(200, 200), "PNG")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"hello, I am no image", "not an image"),
        (b"\x00" * 5000, "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),  # never given to Ghostscript
        (JPEG[: len(JPEG) // 2], "truncated"),
        (PNG[: len(PNG) // 2], "truncated"),
        (PNG[:30], "damaged|not an image"),
        (JPEG[:3], "damaged|not an image"),
        (PNG[:100] + bytes(200) + PNG[300:], "damaged"),
        (png_header(20000, 20000), "megapixels"),
        (png_header(14200, 14200), "megapixels"),
        (png_header(10000, 10000), "damaged"),  # within the limit, but without the pixels
    ],
)
def test_unusable(tmp_path, data, reason):
    with pytest.raises(Unusable, match=reason):
        decode(data, 8)
    (tmp_path / "image.png").write_bytes(data)
    with pytest.raises(Unusable, match=reason):
        decode(tmp_path / "image.png", 8)


def test_a_missing_file(tmp_path):
    with pytest.raises(Unusable, match="does not exist"):
        decode(tmp_path / "nothing.png", 8)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_random_damage_never_escapes(kind):
    rng = np.random.default_rng(0)
    data = np.frombuffer(saved(photo(), kind), np.uint8)
    usable = 0
    with quiet_pillow():
        for _ in range(150):
            broken = data.copy()
            broken[rng.integers(0, min(len(data), 400), 4)] = rng.integers(0, 256, 4)
            cut = len(broken) if rng.random() < 0.5 else rng.integers(1, len(broken))
            with contextlib.suppress(Unusable):
                usable += decode(broken[:cut].tobytes(), 8).shape == (3, 8, 8)
    assert usable < 150


def test_all_keeps_the_order_and_names_the_skipped():
    def fail():
        raise RuntimeError("the disk is gone")

    items = [Item(f"{n}", lambda n=n: (Image.new("L", (5, 5), n), n)) for n in range(200)]
    items[7], items[150] = Item("seven", lambda: (b"", 7)), Item("late", fail)
    chunks = list(decode_all(iter(items), 2))
    pixels = np.concatenate([chunk.columns["pixels"] for chunk in chunks])
    labels = [label for chunk in chunks for label in chunk.columns["labels"].tolist()]
    assert labels == [n for n in range(200) if n not in (7, 150)]
    assert pixels[:, 0, 0, 0].tolist() == labels
    skipped = [tuple(each) for chunk in chunks for each in chunk.skipped]
    assert skipped == [("seven", "empty file"), ("late", "damaged: the disk is gone")]


def test_stopping_early_ends_the_threads():
    before = threading.active_count()
    chunks = decode_all((Item("", lambda: (Image.new("L", (5, 5)), 0)) for _ in iter(int, 1)), 2)
    next(chunks)
    chunks.close()
    assert threading.active_count() == before
    assert Image.MAX_IMAGE_PIXELS != MAX_PIXELS


def test_what_belongs_to_the_process_is_restored():
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    with quiet_pillow(), quiet_pillow():
        assert Image.MAX_IMAGE_PIXELS == MAX_PIXELS
    assert limit == Image.MAX_IMAGE_PIXELS
    assert filters == warnings.filters
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_heic_is_read_where_pillow_heif_is_installed(tmp_path):
    pytest.importorskip("pillow_heif", reason="the extra heif is not installed").register_heif_opener()
    photo().save(tmp_path / "a.heic", quality=95)
    assert np.abs(decode(tmp_path / "a.heic", 16).astype(int) - decode(photo(), 16)).mean() < 3
