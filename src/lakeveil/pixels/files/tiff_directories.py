"""Image file directories, as TIFF files and EXIF blocks have them (TIFF 6.0 section 2; BigTIFF).

Read without trust: offsets are checked, values are bounded, and nothing is followed twice.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

# Bytes per value of each field type; 13 is IFD, 16 to 18 are BigTIFF's.
TYPE_BYTES: Mapping[int, int] = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
    16: 8, 17: 8, 18: 8,
}  # fmt: skip
# What a byte swap must treat as one number: a rational is two numbers of four bytes.
_WORD_BYTES: Mapping[int, int] = {**TYPE_BYTES, 5: 4, 10: 4}
_INTEGERS: Mapping[int, str] = {
    1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q",
}  # fmt: skip
ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 2, 3, 4, 5, 7
_MAX_ENTRIES = 4096
_MAX_NUMBERS = 1_000_000
_HEADER_BYTES = 8


class BadDirectory(ValueError):
    """A directory that cannot be read."""


@dataclass(frozen=True, slots=True)
class Value:
    """A field's type, its count, and its bytes in the byte order of the file."""

    type: int
    count: int
    data: bytes | memoryview
    """A view where it comes from a file: thousands of fields may claim the same megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a file's numbers are written: `order` is `<` or `>` as in `struct`."""

    order: str
    big: bool
    first: int
    """Where the first directory is."""

    def integers(self, value: Value) -> tuple[int, ...]:
        """A field's whole numbers; () for a field of another type."""
        letter = _INTEGERS.get(value.type)
        if letter is None or value.count > _MAX_NUMBERS:
            return ()
        return struct.unpack(f"{self.order}{value.count}{letter}", value.data)

    def numbers(self, found: Directory, tag: int) -> tuple[int, ...]:
        """The whole numbers of a field of a directory; () where it has no such field."""
        value = found.fields.get(tag)
        return self.integers(value) if value else ()


@dataclass(frozen=True, slots=True)
class Directory:
    """The fields of one directory by tag, and where the next directory is (0: there is none)."""

    fields: Mapping[int, Value] = field(default_factory=dict)
    next: int = 0


def layout(data: bytes) -> Layout:
    """Read the header.

    Raises:
        BadDirectory: it is no TIFF header.
    """
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < _HEADER_BYTES:
        raise BadDirectory("no TIFF header")
    magic = struct.unpack_from(f"{order}H", data, 2)[0]
    if magic == 42:  # noqa: PLR2004 - TIFF
        return Layout(order=order, big=False, first=struct.unpack_from(f"{order}I", data, 4)[0])
    if magic == 43 and len(data) >= 16:  # noqa: PLR2004 - BigTIFF
        size, zero, first = struct.unpack_from(f"{order}HHQ", data, 4)
        if size == 8 and zero == 0:  # noqa: PLR2004 - bytes per offset
            return Layout(order=order, big=True, first=first)
    raise BadDirectory("no TIFF header")


def directory(data: bytes, at: int, how: Layout, *, lenient: bool = False) -> Directory:
    """Read the directory at an offset. `lenient` skips fields that point outside the data.

    Raises:
        BadDirectory: it, or a value of it, lies outside the data, or it is absurdly long.
    """
    count_format, entry_format, offset_bytes = ("Q", "HHQ", 8) if how.big else ("H", "HHI", 4)
    count_bytes = struct.calcsize(f"{how.order}{count_format}")
    entry_bytes = struct.calcsize(f"{how.order}{entry_format}") + offset_bytes
    if not _HEADER_BYTES <= at <= len(data) - count_bytes:
        raise BadDirectory("a directory lies outside the file")
    count = struct.unpack_from(f"{how.order}{count_format}", data, at)[0]
    start = at + count_bytes
    end = start + count * entry_bytes
    if count > _MAX_ENTRIES or end > len(data):
        raise BadDirectory("a directory is longer than the file, or absurdly long")
    fields: dict[int, Value] = {}
    for i in range(count):
        entry = start + i * entry_bytes
        tag, kind, number = struct.unpack_from(f"{how.order}{entry_format}", data, entry)
        value = _value(data, entry + entry_bytes - offset_bytes, kind, number, how)
        if value is not None:
            fields.setdefault(tag, value)
        elif not lenient and kind in TYPE_BYTES:
            raise BadDirectory(f"the value of tag {tag} lies outside the file")
    following = 0
    if end + offset_bytes <= len(data):
        following = int.from_bytes(
            data[end : end + offset_bytes], "little" if how.order == "<" else "big"
        )
    return Directory(fields, following)


def _value(data: bytes, inline: int, kind: int, number: int, how: Layout) -> Value | None:
    size = TYPE_BYTES.get(kind, 0) * number
    if not size:
        return None
    at = inline
    if size > (8 if how.big else 4):
        at = struct.unpack_from(f"{how.order}{'Q' if how.big else 'I'}", data, inline)[0]
    if at + size > len(data):
        return None
    return Value(kind, number, memoryview(data)[at : at + size])


def swapped(value: Value) -> Value:
    """The same value in the other byte order."""
    word = _WORD_BYTES[value.type]
    words = (bytes(value.data[i : i + word])[::-1] for i in range(0, len(value.data), word))
    return Value(value.type, value.count, b"".join(words))


def written(fields: Mapping[int, Value], at: int, how: Layout, following: int = 0) -> bytes:
    """A directory as it is written at offset `at`, its longer values right behind it."""
    count_format, entry_format, offset_bytes = ("Q", "HHQ", 8) if how.big else ("H", "HHI", 4)
    head = bytearray(struct.pack(f"{how.order}{count_format}", len(fields)))
    entry_bytes = struct.calcsize(f"{how.order}{entry_format}") + offset_bytes
    tail_at = at + len(head) + len(fields) * entry_bytes + offset_bytes
    tail = bytearray()
    offset_format = f"{how.order}{'Q' if how.big else 'I'}"
    for tag in sorted(fields):
        value = fields[tag]
        head += struct.pack(f"{how.order}{entry_format}", tag, value.type, value.count)
        if len(value.data) <= offset_bytes:
            head += bytes(value.data).ljust(offset_bytes, b"\x00")
        else:
            head += struct.pack(offset_format, tail_at + len(tail))
            tail += value.data
            tail += b"\x00" * (len(value.data) % 2)
    return bytes(head + struct.pack(offset_format, following) + tail)
