"""From a file within its limits to upright frames. Pillow decodes; only from rewritten files.

What a decoder gets holds the coded picture and nothing else (see `rewrite` beside this file), so
neither its metadata parsers nor its guesses at second images ever run.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from lakeveil.errors import BadPhoto
from lakeveil.pixels.files import colour, colour_profile, rewrite, views
from lakeveil.pixels.files.limits import Header
from lakeveil.pixels.files.refusals import bad
from lakeveil.pixels.files.sniff import Format

# Ours are the limits, checked before; a second opinion on a part of a picture would only surprise.
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = False
# Workers are what runs side by side, not the threads of a codec.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

_OPAQUE = 255
_STRIP_ROWS = 128
_OPENERS: dict[Format, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    Format.JPEG: JpegImagePlugin.JpegImageFile,
    Format.PNG: PngImagePlugin.PngImageFile,
    Format.WEBP: WebPImagePlugin.WebPImageFile,
    Format.AVIF: AvifImagePlugin.AvifImageFile,
    Format.TIFF: TiffImagePlugin.TiffImageFile,
    Format.GIF: GifImagePlugin.GifImageFile,
}

# EXIF orientation -> what puts the picture upright (Exif 2.32, tag 0112).
UPRIGHT: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture as a viewer shows it: the whole canvas, upright.

    pixels: (height, width, 3) uint8, in sRGB or in the colour space of the file's ICC profile;
    colours that alpha hides are there as the file stores them.
    alpha: (height, width) uint8, None where nothing is transparent.
    duration_ms: how long it is shown; 0 for stills.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    duration_ms: float = 0.0
    icc: bytes = b""
    """The profile of `pixels` where viewers that follow it show something else; else empty."""
    also: tuple[NDArray[np.uint8], ...] = ()
    """Other pictures, of the same size, that a viewer could make of the stored numbers."""

    @property
    def layers(self) -> NDArray[np.uint8]:
        """Colours and, where there is one, alpha: (height, width, 3 or 4) uint8, to redact."""
        if self.alpha is None:
            return self.pixels
        return np.dstack((self.pixels, self.alpha))

    def views(self) -> tuple[NDArray[np.uint8], ...]:
        """Every picture a viewer could make of it, each (height, width, 3): look at all of them.

        Beside the stored colours these are, where alpha is partly transparent, the frame upon
        white and upon black, as a face can be drawn in transparency alone; each of those as its
        colour profile says; and dim frames with their range stretched.
        """
        plain: tuple[NDArray[np.uint8], ...] = (self.pixels,)
        if self.alpha is not None:
            share = self.alpha[:, :, None].astype(np.uint16)
            on_black = (self.pixels * share + 127) // 255
            on_white = on_black + (255 - share)
            plain = (self.pixels, on_white.astype(np.uint8), on_black.astype(np.uint8))
        shown = tuple(views.managed(p, self.icc) for p in plain) if self.icc else ()
        bright = self.also
        if not bright:
            candidates = (views.stretched(p) for p in (self.pixels, *shown[:1]))
            bright = tuple(p for p in candidates if p is not None)
        return plain + shown + bright


@dataclass(frozen=True, slots=True)
class Shown:
    """How one frame was stored: for how long it is shown, and whether it has colours at all."""

    duration_ms: float
    grey: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """An opened file: its frames, one pass at a time, and what writing it again needs."""

    header: Header
    data: bytes
    """The rewritten file that frames are decoded from."""
    turn: int | None
    """The EXIF orientation that decoded pixels are still to be turned by."""
    exif: bytes
    icc: bytes
    shown: dict[int, Shown] = field(default_factory=dict)
    """How the frames that were decoded so far are shown, by index."""

    def frames(self) -> Iterator[Frame]:
        """Decode frame after frame; at least one. Only one is held at a time.

        Raises:
            BadPhoto: `undecodable`, `unsupported_pixels`, `unsupported_colour`, `out_of_memory`,
                or `heic_support_missing`.
        """
        with refusing(self.header):
            yield from _frames(self)


def decode(data: bytes, header: Header) -> Decoded:
    """Make a file that passed `limits.inspect` ready for decoding. Decodes no pixel yet.

    Raises:
        BadPhoto: the file is damaged, or its format needs an extra that is not installed.
    """
    lifted = rewrite.rewritten(data, header)
    clean = lifted or data
    # Decoders of HEIC and TIFF turn pictures themselves where the file tells them to.
    by_decoder = lifted is None and header.format in {Format.HEIC, Format.TIFF}
    with refusing(header), opened(clean, header) as image:
        icc = colour_profile.rewritten(image.info.get("icc_profile") or b"")
    return Decoded(
        header=header,
        data=clean,
        turn=None if by_decoder else header.orientation,
        exif=rewrite.exif_block(data, header),
        icc=icc,
    )


def opened(data: bytes, header: Header) -> ImageFile.ImageFile:
    """The file as Pillow opens it; nothing of the picture is decoded yet."""
    stream = io.BytesIO(data)
    if header.format is Format.HEIC:
        return _open_heic(stream)
    return _OPENERS[header.format](stream)


def _open_heic(stream: io.BytesIO) -> ImageFile.ImageFile:
    try:
        from pillow_heif import HeifImageFile, options  # noqa: PLC0415 - an optional extra
    except ImportError as err:
        raise bad("heic_support_missing", "pillow-heif is not installed") from err
    options.DECODE_THREADS = 1
    image: ImageFile.ImageFile = HeifImageFile(stream)  # type: ignore[no-untyped-call]
    return image


@contextmanager
def refusing(header: Header) -> Iterator[None]:
    """Turn any trouble that a decoder has with a file into a refusal of the file."""
    try:
        yield
    except BadPhoto:
        raise
    except MemoryError as err:
        raise bad("out_of_memory", "there was not enough memory to decode it") from err
    except Exception as err:
        # Decoders raise whatever their parsers stumble over: OSError, SyntaxError, struct.error...
        raise bad("undecodable", f"the {header.format} decoder says: {err}") from err


def _frames(decoded: Decoded) -> Iterator[Frame]:
    if decoded.header.frames == 1:
        # Pillow's own copy is gone by the time that somebody looks at the frame.
        yield _only_frame(decoded)
        return
    with opened(decoded.data, decoded.header) as image:
        _check_count(image, decoded.header)
        for index in range(decoded.header.frames):
            image.seek(index)
            yield _frame(image, decoded, index)


def _only_frame(decoded: Decoded) -> Frame:
    with opened(decoded.data, decoded.header) as image:
        # One primary picture of an HEIC is released; the others of its container are not.
        if decoded.header.format is not Format.HEIC:
            _check_count(image, decoded.header)
        return _frame(image, decoded, 0)


def _check_count(image: ImageFile.ImageFile, header: Header) -> None:
    count = getattr(image, "n_frames", 1)
    if count != header.frames:
        raise bad("contradictory", f"it announces {header.frames} frames and decodes to {count}")


def _frame(image: Image.Image, decoded: Decoded, index: int) -> Frame:
    image.load()
    duration = float(image.info.get("duration", 0) or 0)
    decoded.shown[index] = Shown(duration, image.mode in colour.GREY)
    plain = colour.plain(image, decoded.icc)
    also = tuple(_upright(o, decoded) for o in colour.others(image, plain, decoded.icc))
    plain = _upright(plain, decoded)
    expected = (decoded.header.width, decoded.header.height)
    # Pages of a TIFF differ in size; each was checked against the limits on its own.
    if plain.size != expected and decoded.header.format is not Format.TIFF:
        raise bad(
            "contradictory", f"it announces {expected[0]} x {expected[1]} pixels, not {plain.size}"
        )
    layers = _array(plain)
    alpha: NDArray[np.uint8] | None = None
    if plain.mode == "RGBA":
        if layers[:, :, 3].min() < _OPAQUE:
            alpha = np.ascontiguousarray(layers[:, :, 3])
        layers = np.ascontiguousarray(layers[:, :, :3])
    fits = colour_profile.fits(decoded.icc, "L" if decoded.shown[index].grey else "RGB")
    return Frame(
        pixels=layers,
        alpha=alpha,
        duration_ms=duration,
        icc=decoded.icc if fits and not views.is_like_srgb(decoded.icc) else b"",
        also=tuple(map(_array, also)),
    )


def _upright(image: Image.Image, decoded: Decoded) -> Image.Image:
    return image.transpose(UPRIGHT[decoded.turn]) if decoded.turn in UPRIGHT else image


def _array(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an RGB or RGBA picture, copied in strips: at once takes room for two copies."""
    pixels = np.empty((image.height, image.width, len(image.getbands())), np.uint8)
    for top in range(0, image.height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels
