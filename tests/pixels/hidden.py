"""Files that hide something in their coded data, where no decoder looks.

Each generator takes a seed: what it hides differs with it, what a viewer shows does not.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from lakeveil.pixels.files import (
    gif_blocks,
    heif_boxes,
    heif_rewrite,
    jpeg_segments,
    png_chunks,
    tiff_directories,
    tiff_pages,
    webp_chunks,
)
from lakeveil.pixels.files.png_chunks import chunk
from lakeveil.pixels.files.tiff_directories import LONG, SHORT, Layout, Value
from tests.pixels.good_files import HEIGHT, WIDTH, animated, icc, picture, saved, with_alpha


def secret(seed: int) -> bytes:
    """Bytes that are no marker of any format and do not compress."""
    return np.random.default_rng(seed).integers(1, 200, 600, np.uint8).tobytes()


def face(seed: int) -> Image.Image:
    """The picture that nobody should see."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
    return Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def tall(seed: int, shown: Image.Image | None = None) -> Image.Image:
    """The shown picture with the hidden one below."""
    both = Image.new("RGB", (WIDTH, 2 * HEIGHT))
    both.paste(shown or picture(), (0, 0))
    both.paste(face(seed), (0, HEIGHT))
    return both


def jpeg_rows(seed: int, mode: str = "RGB", **options: object) -> bytes:
    data = bytearray(saved(tall(seed).convert(mode), "JPEG", quality=85, **options))
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    struct.pack_into(">H", data, at + 5, HEIGHT)
    return bytes(data)


def jpeg_tail(seed: int, **options: object) -> bytes:
    return saved(picture(), "JPEG", **options)[:-2] + secret(seed) + b"\xff\xd9"


def jpeg_stuffed_twice(seed: int) -> bytes:
    """Behind the last block, and before it an FF that is stuffed in an unusual way."""
    noise = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    data = saved(Image.fromarray(noise), "JPEG", quality=95)
    at = data.index(b"\xff\x00", data.index(b"\xff\xda"))
    return data[:at] + b"\xff" + data[at:-2] + secret(seed) + b"\xff\xd9"


def jpeg_interval(seed: int) -> bytes:
    """Behind the last block of a restart interval, between intact ones."""
    data = saved(picture(), "JPEG", restart_marker_rows=1)
    at = data.index(b"\xff\xd0")
    return data[:at] + secret(seed)[:40] + data[at:]


def jpeg_tables(seed: int) -> bytes:
    data = saved(picture(), "JPEG")
    idle = jpeg_segments.segment(0xDB, b"\x03" + secret(seed)[:64])
    idle += jpeg_segments.segment(0xC4, b"\x13" + bytes(7) + b"\x40" + bytes(8) + secret(seed)[:64])
    return data[:2] + idle * 3 + data[2:]


def png_rows(seed: int, interlace: int = 0) -> bytes:
    pixels = np.asarray(tall(seed))
    rows = b"".join(b"\x00" + row.tobytes() for row in pixels)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, interlace))
    return png_chunks.SIGNATURE + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_tail(seed: int) -> bytes:
    data = saved(picture(), "PNG")
    return data[:-12] + chunk(b"IDAT", secret(seed)) + data[-12:]


def png_suggested_palette(seed: int) -> bytes:
    data = saved(picture(), "PNG")
    return data[:33] + chunk(b"PLTE", secret(seed)[:300]) + data[33:]


def apng_tail(seed: int) -> bytes:
    data = animated("PNG", [picture(), picture(1)], duration=70)
    at = data.rindex(b"fdAT")
    number = int.from_bytes(data[at + 4 : at + 8], "big") + 1
    return data[:-12] + chunk(b"fdAT", struct.pack(">I", number) + secret(seed)) + data[-12:]


def gif_rows(seed: int) -> bytes:
    shown, hidden = (i.quantize(8) for i in (picture(), face(seed)))
    both = Image.new("P", (WIDTH, 2 * HEIGHT))
    both.putpalette(shown.getpalette() or [])
    both.paste(Image.fromarray(np.asarray(shown)), (0, 0))
    both.paste(Image.fromarray(np.asarray(hidden)), (0, HEIGHT))
    data = bytearray(saved(both, "GIF", optimize=False, interlace=False))
    (image,) = (b for b in gif_blocks.read(bytes(data)).blocks if b.kind == "image")
    struct.pack_into("<H", data, 8, HEIGHT)
    struct.pack_into("<H", data, image.start + 7, HEIGHT)
    return bytes(data)


def gif_tail(seed: int) -> bytes:
    pieces = [secret(seed)[i : i + 200] for i in range(0, 600, 200)]
    return saved(picture(), "GIF")[:-2] + b"".join(b"\xc8" + p for p in pieces) + b"\x00;"


def gif_idle_colours(seed: int) -> bytes:
    data = bytearray(saved(picture().quantize(16), "GIF"))
    found = gif_blocks.read(bytes(data))
    (image,) = (b for b in found.blocks if b.kind == "image")
    table = bytes(data[13 : found.header_end]).ljust(768, b"\x00")
    table = table[:48] + (secret(seed) * 2)[:720]
    return bytes(data[:10]) + b"\xf7\x00\x00" + table + bytes(data[image.start : image.end]) + b";"


_HOW = Layout(order="<", big=False, first=8)


def _patched(data: bytes, changes: dict[int, Value]) -> bytes:
    how = tiff_directories.layout(data)
    fields = dict(tiff_directories.directory(data, how.first, how).fields) | changes
    out = bytearray(data + b"\x00" * (len(data) % 2))
    at = len(out)
    out += tiff_directories.written(fields, at, how)
    struct.pack_into("<I", out, 4, at)
    return bytes(out)


def _longs(*values: int) -> Value:
    return Value(LONG, len(values), struct.pack(f"<{len(values)}I", *values))


def tiff_rows(seed: int, compression: str) -> bytes:
    data = saved(tall(seed), "TIFF", compression=compression, tiffinfo={278: 2 * HEIGHT})
    return _patched(data, {tiff_pages.HEIGHT: _longs(HEIGHT)})


def tiff_tail(seed: int, compression: str) -> bytes:
    data = saved(picture(), "TIFF", compression=compression)
    ((at, size),) = tiff_pages.read(data, max_scans=1).pages[0].parts
    grown = data + data[at : at + size] + secret(seed)
    places = {273: _longs(len(data)), 279: _longs(size + 600)}
    return _patched(grown, places)


def tiff_colour_map(seed: int) -> bytes:
    return _patched(saved(picture(), "TIFF"), {320: Value(SHORT, 300, secret(seed))})


def tiff_tile(seed: int) -> bytes:
    """A tile twice as high as the picture."""
    body = tall(seed).tobytes()
    fields = {
        256: (WIDTH,), 257: (HEIGHT,), 258: (8, 8, 8), 259: (1,), 262: (2,), 277: (3,),
        322: (WIDTH,), 323: (2 * HEIGHT,), 324: (8,), 325: (len(body),),
    }  # fmt: skip
    made = tiff_directories.written({t: _longs(*v) for t, v in fields.items()}, 8 + len(body), _HOW)
    return b"II*\x00" + struct.pack("<I", 8 + len(body)) + body + made


def tiff_sub_picture(seed: int) -> bytes:
    """A reduced picture that only a field of the first refers to."""
    data = saved(picture(), "TIFF")
    at = len(data)
    body = face(seed).tobytes()
    fields = {
        254: (1,), 256: (WIDTH,), 257: (HEIGHT,), 258: (8, 8, 8), 259: (1,), 262: (2,),
        273: (at,), 277: (3,), 278: (HEIGHT,), 279: (len(body),),
    }  # fmt: skip
    made = tiff_directories.written(
        {t: _longs(*v) for t, v in fields.items()}, at + len(body), _HOW
    )
    return _patched(data + body + made, {330: _longs(at + len(body))})


def webp_tail(seed: int, kind: bytes, image: Image.Image | None = None, **options: object) -> bytes:
    """Behind the end of a stream of VP8, of VP8L or of alpha."""
    data = saved(image or picture(), "WEBP", **options)
    found = webp_chunks.read(data)
    made = [
        webp_chunks.chunk(c.kind, data[c.start : c.end] + (secret(seed) if c.kind == kind else b""))
        for c in found.chunks
        if c.kind in webp_chunks.PICTURE
    ]
    return webp_chunks.assembled(
        made, WIDTH, HEIGHT, flags=found.flags & webp_chunks.HAS_ALPHA, exif=b"", icc=b""
    )


def _avif(
    streams: list[bytes],
    *,
    grid: bytes = b"",
    whole: tuple[int, int] = (WIDTH, HEIGHT),
    tile: tuple[int, int] = (WIDTH, HEIGHT),
) -> bytes:
    """An AVIF of coded items, with a grid over them where there are several."""
    sample = saved(picture(), "AVIF", speed=9)
    heif = heif_boxes.read(sample)
    box = heif_rewrite._box
    kept = [
        box(p.kind, sample[p.start : p.end])
        for i, _ in heif.items[heif.primary].properties
        if (p := heif.properties[i]).kind != b"ispe"
    ]
    sizes = b"".join(box(b"ispe", struct.pack(">III", 0, *size)) for size in (tile, whole))
    everything = bytes(range(3, 3 + len(kept)))
    first = 2 if grid else 1
    numbers = range(first, first + len(streams))
    links = [struct.pack(">HB", n, 1 + len(kept)) + b"\x01" + everything for n in numbers]
    entries = [heif_rewrite._entry(n, b"av01", hide=bool(grid)) for n in numbers]
    references = []
    if grid:
        links.insert(0, struct.pack(">HBB", 1, 1 + len(kept), 2) + everything)
        entries.insert(0, heif_rewrite._entry(1, b"grid", hide=False))
        to = struct.pack(f">{len(streams)}H", *numbers)
        references = [box(b"dimg", struct.pack(">HH", 1, len(streams)) + to)]
    return heif_rewrite._assembled(
        primary=1,
        entries=entries,
        references=references,
        properties=box(b"ipco", sizes + b"".join(kept))
        + box(b"ipma", struct.pack(">II", 0, len(links)) + b"".join(links)),
        payloads=[grid, *streams] if grid else streams,
    )


def _av1(image: Image.Image) -> bytes:
    data = saved(image, "AVIF", speed=9)
    heif = heif_boxes.read(data)
    return heif_boxes.payload(data, heif.items[heif.primary])


def avif_unit(seed: int, kind: int) -> bytes:
    """A unit of metadata or padding (AV1 sections 6.7 and 6.8)."""
    content = b"\x04" + secret(seed)[:100] + b"\x80"
    return _avif([_av1(picture()) + bytes((kind << 3 | 2, len(content))) + content])


def avif_second_frame(seed: int) -> bytes:
    return _avif([_av1(picture()) + _av1(face(seed))])


TILE = 64
"""Pixels of the smallest tile that a grid may have (MIAF, 7.3.11.4.2)."""


def avif_grid(seed: int, cut: int = TILE - 2) -> bytes:
    """Two tiles, of the second of which only the top is shown."""
    above, below = (picture(i).resize((TILE, TILE)) for i in (0, 1))
    below.paste(face(seed).crop((0, 0, TILE, TILE // 2)), (0, TILE // 2))
    height = 2 * TILE - cut
    grid = bytes((0, 0, 1, 0)) + struct.pack(">HH", TILE, height)
    streams = [_av1(above), _av1(below)]
    return _avif(streams, grid=grid, whole=(TILE, height), tile=(TILE, TILE))


def icc_with(tags: dict[bytes, bytes]) -> bytes:
    """The sRGB profile with tags replaced or added."""
    base = icc()
    (count,) = struct.unpack_from(">I", base, 128)
    found = {}
    for i in range(count):
        name, at, size = struct.unpack_from(">4sII", base, 132 + 12 * i)
        found[name] = base[at : at + size]
    body, table = b"", struct.pack(">I", len(found | tags))
    start = 132 + 12 * len(found | tags)
    for name, value in (found | tags).items():
        table += struct.pack(">4sII", name, start + len(body), len(value))
        body += value + b"\x00" * (-len(value) % 4)
    return struct.pack(">I", start + len(body)) + base[4:128] + table + body


def in_a_tag(seed: int, kind: str, tag: bytes) -> bytes:
    options = {"quality": 80} if kind == "JPEG" else {}
    profile = icc_with({tag: _curve() + secret(seed) if tag == b"rTRC" else secret(seed)})
    return saved(picture(), kind, icc_profile=profile, **options)


def _curve() -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IHH", 1, 563, 0)


HIDDEN: dict[str, Callable[[int], bytes]] = {
    "jpeg, rows below its height": jpeg_rows,
    "jpeg, rows, restarts": lambda s: jpeg_rows(s, restart_marker_rows=1),
    "jpeg, rows, many restarts": lambda s: jpeg_rows(s, restart_marker_blocks=1),
    "jpeg, rows, grey": lambda s: jpeg_rows(s, "L"),
    "jpeg, bytes behind the last block": jpeg_tail,
    "jpeg, bytes, and an FF stuffed twice": jpeg_stuffed_twice,
    "jpeg, bytes, progressive": lambda s: jpeg_tail(s, progressive=True),
    "jpeg, bytes in a restart interval": jpeg_interval,
    "jpeg, tables that nothing uses": jpeg_tables,
    "png, rows below its height": png_rows,
    "png, bytes behind the stream": png_tail,
    "png, a palette that only suggests": png_suggested_palette,
    "apng, bytes behind a frame": apng_tail,
    "gif, rows below its height": gif_rows,
    "gif, blocks behind the last pixel": gif_tail,
    "gif, colours that no pixel has": gif_idle_colours,
    **{
        f"tiff, rows in a strip, {c}": lambda s, c=c: tiff_rows(s, c)  # type: ignore[misc]
        for c in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd")
    },
    **{
        f"tiff, bytes behind a strip, {c}": lambda s, c=c: tiff_tail(s, c)  # type: ignore[misc]
        for c in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd")
    },
    "tiff, a colour map of an RGB page": tiff_colour_map,
    "tiff, a tile beyond the edge": tiff_tile,
    "tiff, a sub-picture": tiff_sub_picture,
    "webp, bytes behind VP8": lambda s: webp_tail(s, b"VP8 "),
    "webp, bytes behind VP8L": lambda s: webp_tail(s, b"VP8L", lossless=True),
    "webp, bytes behind alpha": lambda s: webp_tail(s, b"ALPH", with_alpha()),
    "avif, a unit of metadata": lambda s: avif_unit(s, 5),
    "avif, a unit of padding": lambda s: avif_unit(s, 15),
    "avif, a second frame": avif_second_frame,
    **{
        f"{kind.lower()}, profile, {tag.decode()}": lambda s, k=kind, t=tag: in_a_tag(s, k, t)  # type: ignore[misc]
        for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
        for tag in (b"gamt", b"D2B3", b"A2B0", b"lumi", b"cicp", b"chrm", b"rTRC")
    },
}


def second_picture_in_scans(seed: int) -> bytes:
    """All scans of another picture before those of the one that is shown."""
    first, second = (saved(i, "JPEG", progressive=True) for i in (face(seed), picture()))
    starts = [d.index(b"\xff\xc2") + 19 for d in (first, second)]
    return second[: starts[1]] + first[starts[0] : -2] + second[starts[1] :]


def second_full_scan(seed: int) -> bytes:
    """A second sequential scan of all components."""
    first, second = (saved(i, "JPEG") for i in (picture(), face(seed)))
    return first[:-2] + second[second.index(b"\xff\xda") :]


def _palettes() -> tuple[bytes, bytes, int]:
    data = saved(picture().quantize(16), "PNG")
    at = data.index(b"PLTE") - 4
    return data, data[at : at + 12 + int.from_bytes(data[at : at + 4], "big")], at


def two_palettes() -> bytes:
    data, palette, at = _palettes()
    return data[:at] + palette + data[at:]


def late_palette() -> bytes:
    data, palette, at = _palettes()
    return data[:at] + data[at + len(palette) : -12] + palette + data[-12:]


def split_picture_data() -> bytes:
    data = saved(picture(), "PNG")
    return data[:-12] + chunk(b"tEXt", b"a\x00b") + chunk(b"IDAT", b"") + data[-12:]


def small_first_frame() -> bytes:
    data = animated("PNG", [picture(), picture(1)], duration=70)
    at = data.index(b"fcTL")
    control = data[at + 4 : at + 8] + struct.pack(">II", 8, 8) + data[at + 16 : at + 30]
    return data[: at - 4] + chunk(b"fcTL", control) + data[at + 34 :]


def two_controls() -> bytes:
    data = saved(picture(), "GIF")
    at = 13 + (3 << ((data[10] & 7) + 1))
    return data[:at] + b"\x21\xf9\x04\x00\x00\x00\x00\x00" * 2 + data[at:]


def long_animation_header() -> bytes:
    data = animated("WEBP", [picture(), picture(1)], duration=70)
    at = data.index(b"ANIM")
    made = (
        data[:at] + webp_chunks.chunk(b"ANIM", data[at + 8 : at + 14] + secret(1)) + data[at + 14 :]
    )
    return made[:4] + struct.pack("<I", len(made) - 8) + made[8:]


AMBIGUOUS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "jpeg, two pictures in progressive scans": (
        "contradictory",
        lambda: second_picture_in_scans(1),
    ),
    "jpeg, two sequential scans": ("contradictory", lambda: second_full_scan(1)),
    "png, two palettes": ("contradictory", two_palettes),
    "png, a palette behind the picture": ("contradictory", late_palette),
    "png, picture data in two places": ("contradictory", split_picture_data),
    "apng, a first frame of another size": ("contradictory", small_first_frame),
    "gif, two control blocks of one image": ("contradictory", two_controls),
    "webp, a long animation header": ("malformed", long_animation_header),
}
