"""Masks: what somebody sees in place of a value, and which of two shows more.

Lake Formation has none. A mask rides on a grant: whoever holds the grant sees the columns it
selects through the mask. As everywhere the most that any grant allows wins, so masks are ordered
by how much of the value they let through.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class MaskKind(Enum):
    """The kinds of masks, the one that shows most first."""

    YEAR = "year"
    """The year of a date or timestamp, as its first of January."""
    LAST_FOUR = "last-four"
    """The last four characters of a text; shorter texts show nothing."""
    HASH = "hash"
    """A salted hash: equal values stay equal within the lake, so joins still work."""
    FIXED = "fixed"
    """The same text for every row."""
    NULL = "null"
    """Nothing."""


_TEXT = ("string", "char", "varchar")
_DATES = ("date", "timestamp")
_SCALARS = (*_TEXT, *_DATES, "boolean", "tinyint", "smallint", "int", "integer", "bigint", "long",
            "float", "double", "decimal", "binary", "time", "uuid")  # fmt: skip
_FITS: dict[MaskKind, tuple[str, ...]] = {
    MaskKind.YEAR: _DATES,
    MaskKind.LAST_FOUR: _TEXT,
    MaskKind.HASH: _SCALARS,
    MaskKind.FIXED: _TEXT,
}


@dataclass(frozen=True, slots=True)
class Mask:
    """One mask. `value` is the text of a `FIXED` one, else empty."""

    kind: MaskKind
    value: str = ""

    @property
    def rank(self) -> tuple[int, str]:
        """Smaller shows more; `value` only makes the order total."""
        return (list(MaskKind).index(self.kind), self.value)

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.value}" if self.value else self.kind.value


NOTHING = Mask(MaskKind.NULL)


def fitted(mask: Mask, column_type: str) -> Mask:
    """The mask as a column of this type can carry it: one that does not fit shows nothing.

    >>> str(fitted(Mask(MaskKind.YEAR), "string"))
    'null'
    """
    base = column_type.strip().lower().split("(")[0].split("<")[0].split(" ")[0]
    base = "timestamp" if base.startswith("timestamp") else base
    return mask if base in _FITS.get(mask.kind, (base,)) else NOTHING


def less(one: Mask | None, other: Mask | None) -> Mask | None:
    """What both let through of a value; None is no mask at all.

    Two different masks have nothing in common that could be shown: neither a hash nor a year can
    be made of the other.

    >>> str(less(Mask(MaskKind.YEAR), Mask(MaskKind.HASH)))
    'null'
    """
    if one is None or other is None or one == other:
        return one or other
    return NOTHING
