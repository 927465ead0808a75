"""Derive the demo's and the tests' photos from their sources; SOURCES.md says where those are.

Run once, by whoever changes the photos:

    python demo/derive_photos.py FOLDER_WITH_THE_SOURCES

The folder holds `astronaut.png`, `coffee.png`, `grace_hopper.jpg` and
`1897_expeditionsmannschaft_rio_a.jpg`, as the packages ship them. What is in the metadata that
this script adds (place, serial number, owner) is invented.
"""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

from PIL import Image, ImageOps
from PIL.TiffImagePlugin import IFDRational

HERE = Path(__file__).resolve().parent
DEMO = HERE / "photos"
TESTS = HERE.parent / "tests" / "photos"

THUMBNAIL_SIZE = (160, 160)
SIDEWAYS = 6
"""EXIF orientation 6: turn it a quarter clockwise to see it upright, as phones write."""


def main(sources: Path) -> None:
    """Write every photo from `sources`."""
    DEMO.mkdir(exist_ok=True)
    TESTS.mkdir(exist_ok=True)
    astronaut = Image.open(sources / "astronaut.png").convert("RGB")
    coffee = Image.open(sources / "coffee.png").convert("RGB")
    hopper = Image.open(sources / "grace_hopper.jpg").convert("RGB")
    tall = astronaut.crop((60, 0, 420, 480))
    group = (sources / "1897_expeditionsmannschaft_rio_a.jpg").read_bytes()

    _write(DEMO / "portrait.jpg", _jpeg(astronaut))
    _write(DEMO / "group.jpg", group)
    _write(DEMO / "no-face.jpg", _jpeg(coffee))
    _write(DEMO / "thumbnail.jpg", _with_thumbnail(hopper))
    _write(DEMO / "rotated.jpg", _sideways(tall))
    _write(DEMO / "animated.webp", _animated(hopper))
    whole = _jpeg(hopper)
    _write(DEMO / "broken.jpg", whole[: len(whole) // 2])

    small = ImageOps.contain(astronaut, (256, 256))
    _write(TESTS / "portrait.jpg", _jpeg(small))
    _write(TESTS / "group.jpg", group)
    _write(TESTS / "no-face.jpg", _jpeg(ImageOps.contain(coffee, (256, 256))))
    _write(TESTS / "thumbnail.jpg", _with_thumbnail(ImageOps.contain(hopper, (256, 300))))
    _write(TESTS / "rotated.jpg", _sideways(ImageOps.contain(tall, (210, 280))))


def _jpeg(photo: Image.Image, **more: object) -> bytes:
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=88, **more)
    return out.getvalue()


def _with_thumbnail(photo: Image.Image) -> bytes:
    """A JPEG as a camera writes it: a place, a serial number, an owner, and a small copy."""
    exif = Image.Exif()
    exif[0x010F] = "Lakeveil"  # Make
    exif[0x0110] = "Demo camera"  # Model
    exif[0x0132] = "2024:05:17 12:00:00"
    exif[0x013B] = "A. Photographer"  # Artist
    exif.get_ifd(0x8769).update(
        {0x9003: "2024:05:17 12:00:00", 0xA431: "SN-0042-PRIVATE", 0xA430: "A. Photographer"}
    )
    north = [IFDRational(n) for n in (48, 51, 30)]
    east = [IFDRational(n) for n in (2, 17, 40)]
    exif.get_ifd(0x8825).update({1: "N", 2: north, 3: "E", 4: east})
    thumbnail = _jpeg(ImageOps.contain(photo, THUMBNAIL_SIZE))
    return _jpeg(photo, exif=_append_ifd1(exif.tobytes(), thumbnail))


def _append_ifd1(exif: bytes, thumbnail: bytes) -> bytes:
    """Hang a thumbnail behind IFD0, which Pillow reads but does not write."""
    prefix = b"Exif\x00\x00"
    tiff = bytearray(exif.removeprefix(prefix))
    order = "<" if tiff[:2] == b"II" else ">"
    (ifd0,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, ifd0)
    if len(tiff) % 2:
        tiff += b"\x00"
    start = len(tiff)
    struct.pack_into(order + "I", tiff, ifd0 + 2 + 12 * count, start)
    data_at = start + 2 + 12 * 3 + 4
    tiff += struct.pack(order + "H", 3)
    tiff += struct.pack(order + "HHIHH", 0x0103, 3, 1, 6, 0)  # Compression: JPEG
    tiff += struct.pack(order + "HHII", 0x0201, 4, 1, data_at)
    tiff += struct.pack(order + "HHII", 0x0202, 4, 1, len(thumbnail))
    tiff += struct.pack(order + "I", 0) + thumbnail
    return prefix + bytes(tiff)


def _sideways(photo: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    return _jpeg(photo.transpose(Image.Transpose.ROTATE_90), exif=exif.tobytes())


def _animated(photo: Image.Image) -> bytes:
    """A slow pan over the photo, the face in every frame."""
    frames = [
        photo.crop((x, y, x + 360, y + 360)).resize((300, 300), Image.Resampling.LANCZOS)
        for x, y in ((20 + 12 * n, 8 * n) for n in range(8))
    ]
    out = io.BytesIO()
    frames[0].save(
        out, "WEBP", save_all=True, append_images=frames[1:], duration=150, loop=0, quality=70
    )
    return out.getvalue()


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    sys.stdout.write(f"{path.relative_to(HERE.parent)}  {len(data):,} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
