"""Files that must be refused: each as a small generator, with the code it is refused with."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from lakeveil.pixels.files import png_chunks
from tests.pixels import good_files
from tests.pixels.good_files import picture, saved


def _jpeg(**options: object) -> bytes:
    return saved(picture(), "JPEG", **options)


def _resized(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose frame header claims another size."""
    at = min(i for m in (0xC0, 0xC2) if (i := data.find(bytes((0xFF, m)))) > 0)
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def patched(data: bytes, after: bytes, shift: int, value: bytes) -> bytes:
    """The file with bytes replaced, some way from the start of `after`."""
    where = data.index(after) + shift
    return data[:where] + value + data[where + len(value) :]


def many_scans(scans: int = 2000, size: int = 8000) -> bytes:
    """A progressive JPEG of 64 megapixels whose last scan is there 2,000 times."""
    data = _resized(_jpeg(progressive=True), size, size)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + b"\xff\xd9"


def scans_times_pixels() -> bytes:
    """Few enough scans, but each over 64 megapixels."""
    return many_scans(scans=80)


def huge_jpeg() -> bytes:
    """65,500 pixels square."""
    return _resized(_jpeg(), 65_500, 65_500)


def huge_progressive() -> bytes:
    """20,000 pixels square, progressive: a decoder keeps every coefficient."""
    return _resized(_jpeg(progressive=True), 20_000, 20_000)


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    return png_chunks.SIGNATURE + b"".join(png_chunks.chunk(k, p) for k, p in chunks)


def _ihdr(width: int, height: int, depth: int = 8, colour: int = 2) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


def huge_png(side: int = 30_000) -> bytes:
    """A deflated white picture, 30,000 pixels square."""
    packer = zlib.compressobj(9)
    row = b"\x00" + b"\xff" * 3 * side
    packed = b"".join(packer.compress(row) for _ in range(200)) + packer.flush()
    return _png(_ihdr(side, side), (b"IDAT", packed), (b"IEND", b""))


def large_png() -> bytes:
    """144 megapixels: Pillow alone would still take it."""
    return huge_png(12_000)


def _bomb() -> bytes:
    return zlib.compress(bytes(300 * 2**20), 9)


def text_bomb() -> bytes:
    """A compressed text of 300 MB."""
    return _in_png(b"zTXt", b"Comment\x00\x00" + _bomb())


def international_text_bomb() -> bytes:
    """A compressed UTF-8 text of 300 MB."""
    return _in_png(b"iTXt", b"Comment\x00\x01\x00\x00\x00" + _bomb())


def profile_bomb() -> bytes:
    """A compressed colour profile of 300 MB."""
    return _in_png(b"iCCP", b"icc\x00\x00" + _bomb())


def _in_png(kind: bytes, payload: bytes) -> bytes:
    data = saved(picture(), "PNG")
    return data[:33] + png_chunks.chunk(kind, payload) + data[33:]


def unknown_critical_chunk() -> bytes:
    """A chunk that a viewer must know to show the picture."""
    return _in_png(b"FACE", b"\x00")


def wrong_checksum() -> bytes:
    """One bit of the picture data flipped."""
    data = bytearray(saved(picture(), "PNG"))
    data[data.index(b"IDAT") + 20] ^= 1
    return bytes(data)


def apng_without_announcement() -> bytes:
    """Frames of an animation that no chunk announces: viewers disagree."""
    data = good_files.FILES["apng"]()
    at = data.index(b"acTL") - 4
    return data[:at] + data[at + 20 :]


def apng_frame_outside() -> bytes:
    """A frame that reaches beyond the canvas."""
    found = png_chunks.read(good_files.FILES["apng"]())
    data = bytearray(good_files.FILES["apng"]())
    control = [c for c in found.chunks if c.kind == b"fcTL"][1]
    struct.pack_into(">I", data, control.start + 4, 4096)
    checksum = zlib.crc32(data[control.start - 4 : control.end])
    struct.pack_into(">I", data, control.end, checksum)
    return bytes(data)


def _without(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def no_end() -> bytes:
    """A JPEG without its end-of-image marker."""
    return _jpeg()[:-2]


def height_given_later() -> bytes:
    """A height of 0, to be given by a DNL marker after the picture."""
    data = _resized(_jpeg(), good_files.WIDTH, 0)
    return data[:-2] + b"\xff\xdc\x00\x04\x00\x20\xff\xd9"


def _with_frame_marker(marker: int) -> bytes:
    data = bytearray(_jpeg())
    data[data.index(b"\xff\xc0") + 1] = marker
    return bytes(data)


def lossless_jpeg() -> bytes:
    """SOF3."""
    return _with_frame_marker(0xC3)


def arithmetic_jpeg() -> bytes:
    """SOF9."""
    return _with_frame_marker(0xC9)


def twelve_bit_jpeg() -> bytes:
    """12 bits a channel."""
    data = bytearray(_with_frame_marker(0xC1))
    data[data.index(b"\xff\xc1") + 4] = 12
    return bytes(data)


def restarts_out_of_order() -> bytes:
    """The first restart marker carries the wrong number."""
    data = bytearray(_jpeg(restart_marker_blocks=1))
    data[data.index(b"\xff\xd0") + 1] = 0xD5
    return bytes(data)


def two_frame_headers() -> bytes:
    """Two frame headers in one image."""
    data = _jpeg()
    at = data.index(b"\xff\xc0")
    header = data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
    return data[:at] + header + data[at:]


def gif_canvas() -> bytes:
    """A GIF with a canvas of 65,535 pixels square."""
    data = bytearray(saved(picture(), "GIF"))
    struct.pack_into("<HH", data, 6, 65_535, 65_535)
    return bytes(data)


def gif_frame_outside() -> bytes:
    """A GIF whose frame is larger than its canvas."""
    data = bytearray(saved(picture(), "GIF"))
    struct.pack_into("<HH", data, 6, 8, 8)
    return bytes(data)


def gif_many_frames(frames: int = 3000) -> bytes:
    """One tiny image block, 3,000 times."""
    data = saved(picture().resize((2, 2)), "GIF")
    at = data.index(b"\x2c", 13 + 3 * 256 if data[10] & 7 == 7 else 13)
    return data[:at] + data[at:-1] * frames + b"\x3b"


def webp_sizes_disagree() -> bytes:
    """A header that announces another size than the picture has."""
    data = bytearray(saved(good_files.with_alpha(), "WEBP"))
    data[24] += 40
    return bytes(data)


def webp_announces_more() -> bytes:
    """A RIFF length beyond the file's end."""
    data = bytearray(saved(picture(), "WEBP"))
    struct.pack_into("<I", data, 4, len(data) + 1000)
    return bytes(data)


def tiff_loop() -> bytes:
    """A directory whose next directory is itself."""
    data = bytearray(saved(picture(), "TIFF"))
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    return bytes(data)


def _tiff_field(tag: int, value: int, data: bytes | None = None) -> bytes:
    made = bytearray(data or saved(picture(), "TIFF"))
    first = struct.unpack_from("<I", made, 4)[0]
    for i in range(struct.unpack_from("<H", made, first)[0]):
        entry = first + 2 + 12 * i
        found, kind, count = struct.unpack_from("<HHI", made, entry)
        if found == tag and count == 1:
            struct.pack_into("<H" if kind == 3 else "<I", made, entry + 8, value)
    return bytes(made)


def huge_tiff() -> bytes:
    """A height that its data does not have."""
    return _tiff_field(257, 60_000, _tiff_field(256, 60_000))


def tiff_outside() -> bytes:
    """Picture data that lies behind the end of the file."""
    return _tiff_field(273, 10_000_000)


def tiff_raw_photo() -> bytes:
    """Sensor data (a colour filter array)."""
    return _tiff_field(262, 32_803)


def tiff_float() -> bytes:
    """Pixels as floating-point numbers."""
    return saved(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF")


def tiff_lab() -> bytes:
    """CIELAB colours."""
    return saved(Image.new("LAB", (8, 8)), "TIFF")


def truncated_avif() -> bytes:
    """Half an AVIF."""
    return _without(saved(picture(), "AVIF", speed=9), 0.5)


def truncated_heic() -> bytes:
    """Half an HEIC."""
    return _without(good_files.heic(), 0.5)


def huge_avif() -> bytes:
    """A size property of 60,000 pixels square."""
    data = bytearray(saved(picture(), "AVIF", speed=9))
    at = data.index(b"ispe") + 8
    struct.pack_into(">II", data, at, 60_000, 60_000)
    return bytes(data)


def svg() -> bytes:
    """SVG that reads a local file, as might be named `photo.jpg`."""
    return (
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        b'<svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>'
    )


def archive() -> bytes:
    """A ZIP file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("photo.jpg", b"no photo")
    return out.getvalue()


def film() -> bytes:
    """The start of an MP4 film."""
    return struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 512, b"mp41") + bytes(64)


BAD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no bytes": ("empty_file", lambda: b""),
    "garbage": ("unknown_format", lambda: b"garbage, not a photo" * 50),
    "zeros": ("unknown_format", lambda: bytes(1000)),
    "svg": ("unsupported_format", svg),
    "zip": ("unsupported_format", archive),
    "film": ("unsupported_format", film),
    "pdf": ("unsupported_format", lambda: b"%PDF-1.7\n"),
    "jpeg with 2000 scans": ("too_many_scans", many_scans),
    "jpeg with 80 scans of 64 MP": ("too_many_scans", scans_times_pixels),
    "huge jpeg": ("too_many_pixels", huge_jpeg),
    "huge progressive jpeg": ("too_many_pixels", huge_progressive),
    "half a jpeg": ("truncated", lambda: _without(_jpeg(), 0.5)),
    "jpeg without an end": ("truncated", no_end),
    "jpeg marker alone": ("truncated", lambda: b"\xff\xd8\xff"),
    "jpeg whose height comes later": ("unsupported_jpeg", height_given_later),
    "lossless jpeg": ("unsupported_jpeg", lossless_jpeg),
    "arithmetic jpeg": ("unsupported_jpeg", arithmetic_jpeg),
    "12-bit jpeg": ("unsupported_jpeg", twelve_bit_jpeg),
    "jpeg restarts out of order": ("malformed", restarts_out_of_order),
    "jpeg with two frame headers": ("malformed", two_frame_headers),
    "huge png": ("too_many_pixels", huge_png),
    "144 MP png": ("too_many_pixels", large_png),
    "png text bomb": ("metadata_bomb", text_bomb),
    "png international text bomb": ("metadata_bomb", international_text_bomb),
    "png profile bomb": ("metadata_bomb", profile_bomb),
    "png with an unknown critical chunk": ("malformed", unknown_critical_chunk),
    "png with a wrong checksum": ("malformed", wrong_checksum),
    "half a png": ("truncated", lambda: _without(saved(picture(), "PNG"), 0.5)),
    "apng without announcement": ("contradictory", apng_without_announcement),
    "apng frame outside": ("malformed", apng_frame_outside),
    "gif of 65535 pixels square": ("too_many_pixels", gif_canvas),
    "gif frame outside": ("malformed", gif_frame_outside),
    "gif of 3000 frames": ("too_many_frames", gif_many_frames),
    "half a gif": ("truncated", lambda: _without(saved(picture(), "GIF"), 0.5)),
    "webp sizes disagree": ("contradictory", webp_sizes_disagree),
    "webp announces more": ("truncated", webp_announces_more),
    "half a webp": ("truncated", lambda: _without(saved(picture(), "WEBP"), 0.5)),
    "tiff loop": ("malformed", tiff_loop),
    "huge tiff": ("too_many_pixels", huge_tiff),
    "tiff data outside": ("truncated", tiff_outside),
    "raw photo": ("raw_camera_file", tiff_raw_photo),
    "half an avif": ("truncated", truncated_avif),
    "huge avif": ("too_many_pixels", huge_avif),
    "half a heic": ("truncated", truncated_heic),
}
"""name -> (the code that `inspect` refuses it with, generator)."""

UNDECODABLE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "tiff of floating-point numbers": ("unsupported_pixels", tiff_float),
    "tiff in Lab": ("unsupported_colour", tiff_lab),
}
"""name -> (the code that `decode` refuses it with, generator): structure alone does not tell."""


def corrupted(data: bytes, at: float, flips: bytes) -> bytes:
    """The file with some bytes changed from a relative place (0 to 1) on."""
    made = bytearray(data)
    start = int(at * (len(made) - 1))
    for i, flip in enumerate(flips):
        if start + i < len(made):
            made[start + i] ^= flip
    return bytes(made)
