"""What a file is, by its first bytes alone: names and declared content types may say anything."""

from __future__ import annotations

from enum import StrEnum

from lakeveil.pixels.files.refusals import bad


class Format(StrEnum):
    """The photo formats that are read."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"
    TIFF = "tiff"
    GIF = "gif"
    HEIC = "heic"

    @property
    def release_content_type(self) -> str:
        """The type of what is released for it: HEIC becomes JPEG, all others stay themselves."""
        return "image/jpeg" if self is Format.HEIC else f"image/{self.value}"


_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
# Containers that say "an image" without saying coded how: the compatible brands tell.
_NEUTRAL_BRANDS = frozenset({b"mif1", b"msf1", b"miaf", b"mif2", b"1pic"})

_ACCEPTED: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", Format.JPEG),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"GIF87a", Format.GIF),
    (b"GIF89a", Format.GIF),
    (b"II*\x00", Format.TIFF),
    (b"MM\x00*", Format.TIFF),
    (b"II+\x00", Format.TIFF),
    (b"MM\x00+", Format.TIFF),
)

# Formats that people do upload, so that the refusal can name them.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "PDF"),
    (b"BM", "BMP"),
    (b"8BPS", "Photoshop"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1aE\xdf\xa3", "Matroska video"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"FUJIFILMCCD-RAW", "Fujifilm raw"),
    (b"IIRO", "Olympus raw"),
    (b"IIU\x00", "Panasonic raw"),
    (b"qoif", "QOI"),
)


def sniff(data: bytes) -> Format:
    """The format of a file, by magic bytes only.

    Raises:
        BadPhoto: `empty_file`, `unsupported_format` (a known format that is no accepted photo),
            or `unknown_format`.

    >>> sniff(b"GIF89a......")
    <Format.GIF: 'gif'>
    """
    if not data:
        raise bad("empty_file", "it has no bytes at all")
    head = bytes(data[:32])
    for magic, found in _ACCEPTED:
        if head.startswith(magic):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.WEBP
    if head[4:8] == b"ftyp":
        return _by_brands(data)
    for magic, name in _OTHERS:
        if head.startswith(magic):
            raise bad("unsupported_format", f"its first bytes are those of {name}")
    if _is_markup(data):
        raise bad("unsupported_format", "it is markup, such as SVG or HTML, not a photo")
    raise bad("unknown_format", "its first bytes belong to no format that is accepted")


def _by_brands(data: bytes) -> Format:
    size = int.from_bytes(data[:4], "big")
    # A file type box lists a handful of brands; whatever claims more is not looked at further.
    box = bytes(data[8 : min(size, 256)])
    major = box[:4]
    every = {major} | {box[i : i + 4] for i in range(8, len(box) - 3, 4)}
    if major in _AVIF_BRANDS:
        return Format.AVIF
    if major in _HEIC_BRANDS:
        return Format.HEIC
    if major in _NEUTRAL_BRANDS:
        if every & _AVIF_BRANDS:
            return Format.AVIF
        if every & _HEIC_BRANDS:
            return Format.HEIC
    name = major.decode("ascii", "replace").strip()
    raise bad("unsupported_format", f"it is a film or another container of the brand `{name}`")


def _is_markup(data: bytes) -> bool:
    start = bytes(data[:256]).lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")
    return start.startswith(b"<")
