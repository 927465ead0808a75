"""Types of results as Trino's client protocol spells them: by name, and as a signature.

A signature is a raw type with its arguments: numbers (`decimal(12,2)`), types (`array(varchar)`),
or types with names (`row(a integer)`). Times are told with microseconds, which is what a lake's
files hold at most, so no client rounds one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 32
LONGEST_TEXT = 2_147_483_647
_PRECISION = 6
_TIMES = frozenset({"time", "time with time zone", "timestamp", "timestamp with time zone"})
_TEXTS = frozenset({"varchar", "char"})


@dataclass(frozen=True, slots=True)
class TypeSignature:
    """A type: `raw` names it, with its `numbers`, or with the types `inner` to it.

    `names` are those of a row's fields, empty where a field has none.
    """

    raw: str
    numbers: tuple[int, ...] = ()
    inner: tuple[TypeSignature, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As Trino prints it: `timestamp(6) with time zone`, `row(a integer, "b c" varchar)`."""
        if self.raw == "row":
            fields = (
                f"{_quoted(name)} {kind.text}" if name else kind.text
                for name, kind in zip(self.names, self.inner, strict=True)
            )
            return f"row({', '.join(fields)})"
        if self.inner:
            return f"{self.raw}({', '.join(kind.text for kind in self.inner)})"
        if not self.numbers or self.numbers == (LONGEST_TEXT,):
            return self.raw
        head, zone, rest = self.raw.partition(" ")
        return f"{head}({','.join(map(str, self.numbers))}){zone}{rest}"

    def as_dict(self) -> dict[str, Any]:
        """As clients read it: `{"rawType": "array", "arguments": [{"kind": "TYPE", ...}]}`."""
        return {"rawType": self.raw, "arguments": list(self._arguments())}

    def _arguments(self) -> Iterator[Mapping[str, Any]]:
        for number in self.numbers:
            yield {"kind": "LONG", "value": number}
        if self.raw != "row":
            for kind in self.inner:
                yield {"kind": "TYPE", "value": kind.as_dict()}
            return
        for name, kind in zip(self.names, self.inner, strict=True):
            named: dict[str, Any] = {"typeSignature": kind.as_dict()}
            if name:
                named["fieldName"] = {"name": name}
            yield {"kind": "NAMED_TYPE", "value": named}


def type_signature(trino: str) -> TypeSignature:
    """The signature of a type as Trino spells it.

    >>> type_signature("map(varchar, array(decimal(12,2)))").text
    'map(varchar, array(decimal(12,2)))'
    >>> type_signature("timestamp with time zone").text
    'timestamp(6) with time zone'

    Raises:
        ValueError: it is no type.
    """
    return _parsed(trino.strip(), 0)


def _parsed(text: str, depth: int) -> TypeSignature:
    head, inner = _spelled(text)
    if not head or depth > MAX_DEPTH:
        raise ValueError("it is no type")
    if head == "row":
        fields = [_field(part) for part in inner]
        kinds = tuple(_parsed(kind, depth + 1) for _, kind in fields)
        return TypeSignature(head, inner=kinds, names=tuple(name for name, _ in fields))
    if head in {"array", "map"}:
        if len(inner) != (1 if head == "array" else 2):
            raise ValueError("it is no type")
        return TypeSignature(head, inner=tuple(_parsed(part, depth + 1) for part in inner))
    if head in _TIMES:
        return TypeSignature(head, (_PRECISION,))
    numbers = tuple(int(part) for part in inner)
    if head in _TEXTS and not numbers:
        numbers = (LONGEST_TEXT if head == "varchar" else 1,)
    if head == "decimal":
        numbers = (*numbers, *(38, 0)[len(numbers) :])
    return TypeSignature(head, numbers)


def _field(part: str) -> tuple[str, str]:
    """Name and type of a row's field. `a integer` has both, `integer` the type alone."""
    if part.startswith('"'):
        end = _closing(part)
        return part[1:end].replace('""', '"'), part[end + 1 :].strip()
    name, _, kind = part.partition(" ")
    if not kind or "(" in name or part.partition("(")[0].lower().strip() in _TWO_WORDS:
        return "", part
    return name, kind.strip()


_TWO_WORDS = frozenset(
    {
        "time with time zone",
        "timestamp with time zone",
        "interval day to second",
        "interval year to month",
    }
)


def _closing(text: str) -> int:
    place = 1
    while True:
        place = text.find('"', place)
        if place < 0:
            raise ValueError("a quote is not closed")
        if text[place + 1 : place + 2] != '"':
            return place
        place += 2


def _spelled(text: str) -> tuple[str, list[str]]:
    """Head of a type in lower case, and what is between its brackets."""
    start, end = text.find("("), text.rfind(")")
    if start < 0 and end < 0:
        return " ".join(text.lower().split()), []
    if not 0 <= start < end:
        raise ValueError("a bracket is not closed")
    head = f"{text[:start]} {text[end + 1 :]}".lower()
    return " ".join(head.split()), list(_parts(text[start + 1 : end]))


def _parts(text: str) -> Iterator[str]:
    """At the commas that stand in no bracket and no quotes."""
    depth, start, quoted = 0, 0, False
    for place, sign in enumerate(text):
        quoted ^= sign == '"'
        if quoted:
            continue
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            yield text[start:place].strip()
            start = place + 1
    if text[start:].strip():
        yield text[start:].strip()


def _quoted(name: str) -> str:
    plain = name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit()
    return name if plain and name == name.lower() else '"' + name.replace('"', '""') + '"'
