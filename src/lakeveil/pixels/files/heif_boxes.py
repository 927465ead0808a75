"""The boxes of AVIF and HEIC files (ISO/IEC 14496-12 and 23008-12), found without decoding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lakeveil.pixels.files.refusals import bad

_MAX_BOXES = 50_000
_MAX_ITEMS = 5_000
_FILE, _IDAT = 0, 1


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its type and where its payload is."""

    kind: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item: a picture, a tile, or metadata. `extents` are (offset, bytes) in the file."""

    kind: bytes
    extents: tuple[tuple[int, int], ...] = ()
    properties: tuple[tuple[int, bool], ...] = ()
    """(index into the file's properties from 0, whether it is essential)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeifFile:
    """What an AVIF or HEIC file consists of.

    `width` and `height` are as stored, before `turned` (1 to 8, as in EXIF; None where nothing
    turns the picture); `crop` is the size (width, height) of the part that is to be shown.
    `references` are (type, from, to). The size of a `sequence` is that of its canvas.
    """

    items: dict[int, Item] = field(default_factory=dict)
    primary: int = 0
    properties: tuple[Box, ...] = ()
    references: tuple[tuple[bytes, int, tuple[int, ...]], ...] = ()
    width: int = 0
    height: int = 0
    turned: int | None = None
    crop: tuple[int, int] | None = None
    frames: int = 1
    sequence: bool = False
    exif: bytes = b""
    largest_item_pixels: int = 0
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Width and height of each item that has them."""


class _Reader:
    """Big-endian numbers from a box; running over its end is a damaged file."""

    def __init__(self, data: bytes, box: Box) -> None:
        self._data, self._at, self._end = data, box.start, box.end

    def number(self, size: int) -> int:
        if self._at + size > self._end:
            raise bad("malformed", "a box of the container is too short")
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "big")

    def word(self) -> bytes:
        return self.number(4).to_bytes(4, "big")

    def rest(self) -> tuple[int, int]:
        return self._at, self._end


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes between two offsets.

    Raises:
        BadPhoto: `truncated` or `malformed`.
    """
    count = 0
    while start + 8 <= end:
        size = int.from_bytes(data[start : start + 4], "big")
        kind = bytes(data[start + 4 : start + 8])
        head = 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif size == 0:
            size = end - start
        if size < head:
            raise bad("malformed", "a box of the container has an impossible length")
        if start + size > end:
            raise bad("truncated", f"the file ends within the box `{kind.decode('latin-1')}`")
        yield Box(kind, start + head, start + size)
        start += size
        count += 1
        if count > _MAX_BOXES:
            raise bad("malformed", f"it has more than {_MAX_BOXES} boxes")


def read(data: bytes) -> HeifFile:
    """Find and check the boxes.

    Raises:
        BadPhoto: `truncated`, `malformed`, or `contradictory`.
    """
    top = {b.kind: b for b in reversed(list(boxes(data, 0, len(data))))}
    if b"ftyp" not in top:
        raise bad("malformed", "it does not say what it is")
    if b"moov" in top:
        return _sequence(data, top[b"moov"], top.get(b"meta"))
    if b"meta" not in top:
        raise bad("malformed", "it has no picture")
    return _still(data, top[b"meta"])


def _still(data: bytes, meta: Box) -> HeifFile:
    inner = {b.kind: b for b in reversed(list(boxes(data, meta.start + 4, meta.end)))}
    missing = {b"pitm", b"iinf", b"iloc", b"iprp"} - inner.keys()
    if missing:
        raise bad("malformed", f"the box `{min(missing).decode()}` is missing")
    reader = _Reader(data, inner[b"pitm"])
    primary = reader.number(4 if reader.number(4) >> 24 else 2)
    kinds = _kinds(data, inner[b"iinf"])
    extents = _extents(data, inner[b"iloc"], inner.get(b"idat"))
    within = {
        b.kind: b for b in reversed(list(boxes(data, inner[b"iprp"].start, inner[b"iprp"].end)))
    }
    if b"ipco" not in within or b"ipma" not in within:
        raise bad("malformed", "the properties of its pictures are missing")
    properties = tuple(boxes(data, within[b"ipco"].start, within[b"ipco"].end))
    linked = _linked(data, within[b"ipma"], len(properties))
    items = {
        i: Item(kind=k, extents=extents.get(i, ()), properties=linked.get(i, ()))
        for i, k in kinds.items()
    }
    if primary not in items:
        raise bad("malformed", "the primary picture is missing")
    sizes = {i: s for i in items if (s := _size(data, items[i], properties)) is not None}
    if primary not in sizes:
        raise bad("malformed", "the primary picture has no size")
    references = _references(data, inner[b"iref"]) if b"iref" in inner else ()
    return HeifFile(
        items=items,
        primary=primary,
        properties=properties,
        references=references,
        width=sizes[primary][0],
        height=sizes[primary][1],
        turned=_turned(data, items[primary], properties),
        crop=_crop(data, items[primary], properties),
        exif=_exif(data, items, references, primary),
        largest_item_pixels=max(w * h for w, h in sizes.values()),
        sizes=sizes,
    )


def _kinds(data: bytes, box: Box) -> dict[int, bytes]:
    reader = _Reader(data, box)
    version = reader.number(4) >> 24
    count = reader.number(4 if version else 2)
    if count > _MAX_ITEMS:
        raise bad("malformed", f"it has more than {_MAX_ITEMS} items")
    kinds: dict[int, bytes] = {}
    for entry in boxes(data, *reader.rest()):
        if entry.kind != b"infe":
            continue
        one = _Reader(data, entry)
        version = one.number(4) >> 24
        if version < 2:  # noqa: PLR2004 - without an item type
            raise bad("malformed", "an item does not say what it is")
        item = one.number(4 if version > 2 else 2)  # noqa: PLR2004 - wide numbers
        one.number(2)
        if item in kinds:
            raise bad("contradictory", "two items have the same number")
        kinds[item] = one.word()
    return kinds


def _extents(data: bytes, box: Box, idat: Box | None) -> dict[int, tuple[tuple[int, int], ...]]:
    reader = _Reader(data, box)
    version = reader.number(4) >> 24
    sizes = reader.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> s & 15 for s in (12, 8, 4, 0))
    found: dict[int, tuple[tuple[int, int], ...]] = {}
    pieces = total = 0
    for _ in range(reader.number(4 if version == 2 else 2)):  # noqa: PLR2004 - wide numbers
        item = reader.number(4 if version == 2 else 2)  # noqa: PLR2004 - wide numbers
        method = reader.number(2) & 15 if version else _FILE
        reader.number(2)
        base = reader.number(base_size)
        extents = []
        for _ in range(reader.number(2)):
            if version:
                reader.number(index_size)
            at, length = base + reader.number(offset_size), reader.number(length_size)
            if method == _IDAT and idat is not None:
                at, limit = at + idat.start, idat.end
            elif method == _FILE:
                limit = len(data)
            else:
                raise bad("malformed", "an item's data is given in an unknown way")
            length = length or limit - at
            if length < 0 or at + length > limit:
                raise bad("truncated", "an item's data lies outside the file")
            extents.append((at, length))
            pieces, total = pieces + 1, total + length
            if pieces > _MAX_ITEMS or total > len(data):
                raise bad("malformed", "it has more pieces of data than can be in it")
        found[item] = tuple(extents)
    return found


def _linked(data: bytes, box: Box, properties: int) -> dict[int, tuple[tuple[int, bool], ...]]:
    reader = _Reader(data, box)
    head = reader.number(4)
    version, wide = head >> 24, head & 1
    found: dict[int, tuple[tuple[int, bool], ...]] = {}
    for _ in range(reader.number(4)):
        item = reader.number(4 if version else 2)
        linked = []
        for _ in range(reader.number(1)):
            value = reader.number(2 if wide else 1)
            top = 0x8000 if wide else 0x80
            index = value & (top - 1)
            if index > properties:
                raise bad("malformed", "an item has a property that does not exist")
            if index:
                linked.append((index - 1, bool(value & top)))
        found[item] = tuple(linked)
    return found


def _references(data: bytes, box: Box) -> tuple[tuple[bytes, int, tuple[int, ...]], ...]:
    reader = _Reader(data, box)
    wide = 4 if reader.number(4) >> 24 else 2
    found = []
    for entry in boxes(data, *reader.rest()):
        one = _Reader(data, entry)
        source = one.number(wide)
        found.append((entry.kind, source, tuple(one.number(wide) for _ in range(one.number(2)))))
    return tuple(found)


def _size(data: bytes, item: Item, properties: tuple[Box, ...]) -> tuple[int, int] | None:
    for index, _ in item.properties:
        if properties[index].kind == b"ispe":
            reader = _Reader(data, properties[index])
            reader.number(4)
            width, height = reader.number(4), reader.number(4)
            if not (width and height):
                raise bad("malformed", f"a picture has a size of {width} x {height}")
            return width, height
    return None


def _crop(data: bytes, item: Item, properties: tuple[Box, ...]) -> tuple[int, int] | None:
    for index, _ in item.properties:
        if properties[index].kind == b"clap":
            reader = _Reader(data, properties[index])
            width, width_by, height, height_by = (reader.number(4) for _ in range(4))
            if not (width_by and height_by and width >= width_by and height >= height_by):
                raise bad("malformed", "a picture is cropped to nothing")
            return width // width_by, height // height_by
    return None


def _turned(data: bytes, item: Item, properties: tuple[Box, ...]) -> int | None:
    angle: int | None = None
    mirror: int | None = None
    for index, _ in item.properties:
        box = properties[index]
        if box.kind == b"irot":
            angle = _Reader(data, box).number(1) & 3
        elif box.kind == b"imir":
            mirror = _Reader(data, box).number(1) & 1
    if angle is None and mirror is None:
        return None
    # Turned anticlockwise by quarters first, then mirrored top to bottom (0) or left to right (1).
    plain, flipped = (1, 8, 3, 6), ((4, 2), (5, 7), (2, 4), (7, 5))
    return plain[angle or 0] if mirror is None else flipped[angle or 0][mirror]


def _exif(
    data: bytes,
    items: dict[int, Item],
    references: tuple[tuple[bytes, int, tuple[int, ...]], ...],
    primary: int,
) -> bytes:
    for number, item in items.items():
        described = any(
            kind == b"cdsc" and source == number and primary in to
            for kind, source, to in references
        )
        if item.kind == b"Exif" and described:
            block = payload(data, item)
            skip = int.from_bytes(block[:4], "big")
            return block[4 + skip :]
    return b""


def payload(data: bytes, item: Item) -> bytes:
    """An item's bytes, its pieces put together."""
    return b"".join(data[at : at + length] for at, length in item.extents)


def _sequence(data: bytes, moov: Box, meta: Box | None) -> HeifFile:
    """An image sequence: its canvas is the largest of its tracks."""
    width = height = frames = 0
    for track in boxes(data, moov.start, moov.end):
        if track.kind != b"trak":
            continue
        for box in _within(data, track, (b"mdia", b"minf", b"stbl")):
            if box.kind == b"stsz":
                reader = _Reader(data, box)
                reader.number(8)
                frames = max(frames, reader.number(4))
            elif box.kind == b"stsd":
                reader = _Reader(data, box)
                reader.number(8)
                for entry in boxes(data, *reader.rest()):
                    one = _Reader(data, entry)
                    one.number(24)
                    width, height = max(width, one.number(2)), max(height, one.number(2))
    if not (width and height and frames):
        raise bad("malformed", "its image sequence has no pictures")
    largest = width * height
    if meta is not None:
        still = _still(data, meta)
        largest = max(largest, still.largest_item_pixels)
    return HeifFile(
        width=width, height=height, frames=frames, sequence=True, largest_item_pixels=largest
    )


def _within(data: bytes, box: Box, path: tuple[bytes, ...]) -> Iterator[Box]:
    for inner in boxes(data, box.start, box.end):
        if not path:
            yield inner
        elif inner.kind == path[0]:
            yield from _within(data, inner, path[1:])


def subsampling(data: bytes) -> str:
    """The chroma subsampling of an AVIF file, as Pillow names it; 4:2:0 where it says none."""
    at = data.find(b"av1C")
    # The third byte of the record: mono, subsampled across, subsampled down (AV1-ISOBMFF 2.3.3).
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0x0C
    if flags & 0x10:
        return "4:0:0"
    return {0x0C: "4:2:0", 0x08: "4:2:2", 0x00: "4:4:4"}.get(flags & 0x0C, "4:2:0")
