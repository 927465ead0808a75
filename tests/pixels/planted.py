"""Files that carry a marker, and small pictures, in every place metadata is known to live.

`SECRET` stands for a name, a place or a serial number, `thumbnail()` for the original face.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping

from PIL import Image

from lakeveil.pixels.files import (
    heif_boxes,
    heif_rewrite,
    png_chunks,
    tiff_directories,
    webp_chunks,
)
from lakeveil.pixels.files.jpeg_segments import segment
from lakeveil.pixels.files.tiff_directories import (
    ASCII,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Layout,
    Value,
)
from tests.pixels import good_files
from tests.pixels.good_files import animated, picture, saved, with_alpha

SECRET = b"SECRET-7f3a-Erika-Mustermann"
CAMERA = b"Lakecam 7\x00"
DATE = b"2026:05:04 03:02:01\x00"
# 12 degrees 34 minutes 56.78 seconds, in no other place of any file.
PLACE = struct.pack("<6I", 12, 1, 34, 1, 567_891, 10_003)

_LITTLE = Layout(order="<", big=False, first=8)


def thumbnail() -> bytes:
    """A small JPEG, as cameras embed it."""
    return saved(picture().resize((16, 12)), "JPEG", comment=SECRET)


def _text(value: bytes) -> Value:
    return Value(ASCII, len(value), value)


def _raw(value: bytes) -> Value:
    return Value(UNDEFINED, len(value), value)


def _short(value: int) -> Value:
    return Value(SHORT, 1, struct.pack("<H", value))


def _long(value: int) -> Value:
    return Value(LONG, 1, struct.pack("<I", value))


def exif_block(orientation: int = 1) -> bytes:
    """An EXIF block as cameras write it: maker note, serial numbers, names, place, thumbnail."""
    exif = {
        0x829A: Value(RATIONAL, 1, struct.pack("<II", 1, 250)),
        0x9000: _raw(b"0232"),
        0x9003: _text(DATE),
        0x927C: _raw(b"MAKER" + SECRET + thumbnail()),
        0x9286: _raw(b"ASCII\x00\x00\x00" + SECRET),
        0xA420: _text(SECRET + b"\x00"),
        0xA430: _text(SECRET + b"\x00"),
        0xA431: _text(SECRET + b"\x00"),
        0xA435: _text(SECRET + b"\x00"),
        0xC000: _text(SECRET + b"\x00"),
    }
    gps = {
        1: _text(b"N\x00"),
        2: Value(RATIONAL, 3, PLACE),
        3: _text(b"E\x00"),
        4: Value(RATIONAL, 3, PLACE),
        27: _raw(SECRET),
        28: _raw(SECRET),
    }
    image = {
        0x010E: _text(SECRET + b"\x00"),
        0x010F: _text(b"Lakeveil Works\x00"),
        0x0110: _text(CAMERA),
        0x0112: _short(orientation),
        0x0131: _text(SECRET + b"\x00"),
        0x013B: _text(SECRET + b"\x00"),
        0x013C: _text(SECRET + b"\x00"),
        0x8298: _text(SECRET + b"\x00"),
        0x9C9B: _raw(SECRET.decode().encode("utf-16-le")),
        0x8769: _long(0),
        0x8825: _long(0),
    }
    exif_at = 8 + len(tiff_directories.written(image, 8, _LITTLE))
    gps_at = exif_at + len(tiff_directories.written(exif, exif_at, _LITTLE))
    second_at = gps_at + len(tiff_directories.written(gps, gps_at, _LITTLE))
    image |= {0x8769: _long(exif_at), 0x8825: _long(gps_at)}
    second = {0x0103: _short(6), 0x0201: _long(0), 0x0202: _long(len(thumbnail()))}
    size = len(tiff_directories.written(second, second_at, _LITTLE))
    second[0x0201] = _long(second_at + size)
    return (
        b"II*\x00"
        + struct.pack("<I", 8)
        + tiff_directories.written(image, 8, _LITTLE, following=second_at)
        + tiff_directories.written(exif, exif_at, _LITTLE)
        + tiff_directories.written(gps, gps_at, _LITTLE)
        + tiff_directories.written(second, second_at, _LITTLE)
        + thumbnail()
    )


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>' + SECRET + b"</rdf:RDF></x:xmpmeta>"


def profile() -> bytes:
    """A display's colour profile: its description names somebody, a private tag is its serial."""
    icc = bytearray(good_files.icc())
    (count,) = struct.unpack_from(">I", icc, 128)
    table = bytearray(icc[132 : 132 + 12 * count])
    grown = 12
    for i in range(count):
        (at,) = struct.unpack_from(">I", table, 12 * i + 4)
        struct.pack_into(">I", table, 12 * i + 4, at + grown)
    table += struct.pack(">4sII", b"mmod", len(icc) + grown, 8 + len(SECRET))
    body = bytes(icc[132 + 12 * count :]) + b"mmod\x00\x00\x00\x00" + SECRET
    made = bytearray(bytes(icc[:128]) + struct.pack(">I", count + 1) + bytes(table) + body)
    struct.pack_into(">I", made, 0, len(made))
    return bytes(made)


def _mpf(offset: int, size: int) -> bytes:
    """A multi-picture index whose second picture lies behind the first."""
    entries = struct.pack("<IIIHH", 0x20030000, 0, 0, 0, 0)
    entries += struct.pack("<IIIHH", 0, size, offset, 0, 0)
    return (
        b"MPF\x00II*\x00"
        + struct.pack("<IH", 8, 3)
        + b"".join(
            (
                struct.pack("<HHI4s", 0xB000, 7, 4, b"0100"),
                struct.pack("<HHII", 0xB001, 4, 1, 2),
                struct.pack("<HHII", 0xB002, 7, 32, 50),
                struct.pack("<I", 0),
                entries,
            )
        )
    )


def jpeg(image: Image.Image | None = None, **options: object) -> bytes:
    """A JPEG with everything in it that a phone, an editor and a prankster could leave there."""
    data = saved(image or picture(), "JPEG", **options)
    at = data.index(b"\xff\xdb")
    small = thumbnail()
    icc = profile()
    jfif = b"JFIF\x00\x01\x02\x01\x00\x48\x00\x48" + bytes((2, 2)) + SECRET[:12]
    head = (
        segment(0xE0, jfif)
        + segment(0xE0, b"JFXX\x00\x10" + small)
        + segment(0xE1, b"Exif\x00\x00" + exif_block())
        + segment(0xE1, b"Exif\x00\x00" + exif_block())
        + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + XMP)
        + segment(0xE1, b"http://ns.adobe.com/xmp/extension/\x00" + bytes(40) + XMP)
        + segment(0xE2, b"ICC_PROFILE\x00\x01\x01" + icc)
        + segment(0xE2, _mpf(0, len(small)))
        + segment(0xE4, b"QTI Debug Metadata\x00" + SECRET)
        + segment(
            0xEB,
            b"JP\x00\x01\x00\x00\x00\x01" + struct.pack(">I", 8 + len(SECRET)) + b"jumb" + SECRET,
        )
        + segment(
            0xED, b"Photoshop 3.0\x008BIM\x04\x0c\x00\x00" + struct.pack(">I", len(small)) + small
        )
        + segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x20\x1c\x02\x50" + SECRET)
        + segment(0xFE, SECRET)
        + SECRET.replace(b"\xff", b"")
    )
    tail = small + b"MotionPhoto_Data\x00\x00\x00\x18ftypmp42" + SECRET + b"PK\x03\x04" + SECRET
    made = bytearray(b"\xff\xd8" + head + data[at:])
    # The index counts from its own header.
    header = made.index(b"MPF\x00") + 4
    struct.pack_into("<I", made, header + 50 + 16 + 8, len(made) - header)
    return bytes(made) + tail


def _png_extras() -> bytes:
    chunk = png_chunks.chunk
    return b"".join(
        (
            chunk(b"iCCP", SECRET + b"\x00\x00" + zlib.compress(profile())),
            chunk(b"eXIf", exif_block()),
            chunk(b"tEXt", b"Author\x00" + SECRET),
            chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(SECRET)),
            chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + XMP),
            chunk(b"tIME", struct.pack(">HBBBBB", 2026, 5, 4, 3, 2, 1)),
            chunk(b"caBX", SECRET),
            chunk(b"prVt", SECRET),
            chunk(b"sPLT", SECRET + b"\x00\x08"),
        )
    )


def png(data: bytes | None = None) -> bytes:
    """A PNG with text, EXIF, a manifest, private chunks, and more behind its end."""
    data = data or saved(picture(), "PNG")
    return data[:33] + _png_extras() + data[33:] + png_chunks.chunk(b"tEXt", SECRET) + thumbnail()


def webp(data: bytes | None = None) -> bytes:
    """A WebP with EXIF, XMP, unknown chunks (in its frames too), and more behind its end."""
    data = data or saved(picture(), "WEBP")
    found = webp_chunks.read(data)
    extra = webp_chunks.chunk(b"PRVT", SECRET)
    picture_chunks = []
    for c in found.chunks:
        payload = data[c.start : c.end]
        if c.kind == b"ANMF":
            payload += extra
        if c.kind not in {b"VP8X", b"ICCP"}:
            picture_chunks.append(webp_chunks.chunk(c.kind, payload))
    size = (found.width - 1).to_bytes(3, "little") + (found.height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"".join(
        (
            webp_chunks.chunk(b"VP8X", bytes((found.flags | 0x2C, 0, 0, 0)) + size),
            webp_chunks.chunk(b"ICCP", profile()),
            *picture_chunks,
            webp_chunks.chunk(b"EXIF", exif_block()),
            webp_chunks.chunk(b"XMP ", XMP),
            extra,
        )
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body + thumbnail()


def gif(data: bytes | None = None) -> bytes:
    """A GIF with a comment, a text, XMP, an unknown application, and more behind its end."""
    data = data or saved(picture(), "GIF")
    at = 13 + (3 << ((data[10] & 7) + 1))

    def blocks(payload: bytes) -> bytes:
        pieces = [payload[i : i + 255] for i in range(0, len(payload), 255)]
        return b"".join(bytes((len(p),)) + p for p in pieces) + b"\x00"

    extras = b"".join(
        (
            b"\x21\xfe" + blocks(SECRET),
            b"\x21\xff\x0bXMP DataXMP" + blocks(XMP),
            b"\x21\xff\x0bSECRETAPP01" + blocks(SECRET),
            b"\x21\xf9\x04\x00\x0a\x00\x00\x00" + b"\x21\x01\x0c" + bytes(12) + blocks(SECRET),
        )
    )
    return data[:at] + extras + data[at:] + SECRET + thumbnail()


def tiff(data: bytes | None = None) -> bytes:
    """A TIFF with names, XMP, IPTC, Photoshop resources, EXIF, GPS, a sub-picture, and gaps."""
    data = data or saved(picture(), "TIFF")
    how = tiff_directories.layout(data)
    found = tiff_directories.directory(data, how.first, how)
    out = bytearray(data + SECRET + b"\x00" * 7)
    extra = exif_block()
    inner = tiff_directories.layout(extra)
    image = tiff_directories.directory(extra, inner.first, inner)

    def placed(tag: int) -> Value:
        at = inner.integers(image.fields[tag])[0]
        fields = tiff_directories.directory(extra, at, inner).fields
        out.extend(b"\x00" * (-len(out) % 4))
        here = len(out)
        out.extend(tiff_directories.written(fields, here, how))
        return _long(here)

    small = thumbnail()
    fields: Mapping[int, Value] = {
        **found.fields,
        **{t: v for t, v in image.fields.items() if v.type == ASCII or t == 0x9C9B},
        700: Value(1, len(XMP), XMP),
        33723: _raw(b"\x1c\x02\x50" + SECRET),
        34377: Value(1, len(small), small),
        37724: _raw(b"Adobe Photoshop Document Data Block\x00" + SECRET),
        34675: _raw(profile()),
        65000: _text(SECRET + b"\x00"),
        0x8769: placed(0x8769),
        0x8825: placed(0x8825),
        330: placed(0x8769),
    }
    out.extend(b"\x00" * (-len(out) % 4))
    at = len(out)
    out.extend(tiff_directories.written(fields, at, how, following=found.next))
    struct.pack_into("<I", out, 4, at)
    return bytes(out) + SECRET


def avif(image: Image.Image | None = None) -> bytes:
    """An AVIF with EXIF, XMP, a thumbnail, a second picture and private boxes."""
    shot = image or picture()
    first = saved(shot, "AVIF", speed=9, icc_profile=profile())
    small = saved(picture().resize((24, 16)), "AVIF", speed=9)
    heif, other = heif_boxes.read(first), heif_boxes.read(small)
    box = heif_rewrite._box
    properties: list[bytes] = []
    links: list[bytes] = []
    items: list[tuple[bytes, bytes]] = []
    for data, found, number in ((first, heif, heif.primary), (small, other, other.primary)):
        linked = []
        for index, essential in found.items[number].properties:
            where = found.properties[index]
            properties.append(box(where.kind, data[where.start : where.end]))
            linked.append(bytes((len(properties) | (0x80 if essential else 0),)))
        links.append(struct.pack(">HB", len(links) + 1, len(linked)) + b"".join(linked))
        items.append((b"av01", heif_boxes.payload(data, found.items[number])))
    items.append((b"Exif", bytes(4) + exif_block()))
    items.append((b"mime", XMP))
    entries = [
        heif_rewrite._entry(1, b"av01", hide=False),
        heif_rewrite._entry(2, b"av01", hide=False),
        heif_rewrite._entry(3, b"Exif", hide=True),
        box(
            b"infe",
            struct.pack(">IHH4s", 2 << 24, 4, 0, b"mime") + SECRET + b"\x00application/rdf+xml\x00",
        ),
    ]
    references = [
        box(b"thmb", struct.pack(">HHH", 2, 1, 1)),
        box(b"cdsc", struct.pack(">HHH", 3, 1, 1)),
        box(b"cdsc", struct.pack(">HHH", 4, 1, 1)),
    ]
    made = heif_rewrite._assembled(
        primary=1,
        entries=entries,
        references=references,
        properties=box(b"ipco", b"".join(properties))
        + box(b"ipma", struct.pack(">II", 0, len(links)) + b"".join(links)),
        payloads=[payload for _, payload in items],
    )
    return made + box(b"uuid", bytes(16) + SECRET) + box(b"free", SECRET + thumbnail())


PLANTED: dict[str, Callable[[], bytes]] = {
    "jpeg": jpeg,
    "jpeg progressive": lambda: jpeg(progressive=True),
    "jpeg grey": lambda: jpeg(picture().convert("L")),
    "png": png,
    "png alpha": lambda: png(saved(with_alpha(), "PNG")),
    "apng": lambda: png(good_files.FILES["apng"]()),
    "webp": webp,
    "webp animated": lambda: webp(good_files.FILES["webp animated"]()),
    "gif": gif,
    "gif animated": lambda: gif(good_files.FILES["gif animated"]()),
    "tiff": tiff,
    "tiff pages": lambda: tiff(animated("TIFF", [picture(), picture(1)])),
    "tiff jpeg": lambda: tiff(saved(picture(), "TIFF", compression="jpeg")),
    "avif": avif,
}

TAKES_CAMERA = ("jpeg", "png", "webp", "tiff", "avif")
"""Formats that can keep whitelisted EXIF fields."""
