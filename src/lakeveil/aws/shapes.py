"""Values as AWS models describe them: JSON to Python and back, and what is wrong with an input.

Driven by botocore's shapes, so no operation writes its own parser. Nothing here knows a
transport: every AWS protocol that carries JSON documents can use it.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape


class Misfit(ValueError):
    """A value that its shape does not allow. The message names the member, never the value."""


def from_wire(value: Any, shape: Shape, path: str = "") -> Any:
    """A JSON value -> checked Python values: blobs as bytes, timestamps aware, nulls dropped.

    Checked are types, required and unknown members, lengths, ranges, patterns and vocabularies.
    A blob's greatest length is left to the operation, which has an error of its own for that.
    An unknown member is refused where AWS ignores it: we never do less than was asked for
    without saying so.

    Raises:
        Misfit: with the first thing that is wrong.
    """
    kind = shape.type_name
    _check_type(value, kind, path)
    if kind == "structure":
        return _structure(value, shape, path)
    if kind == "list":
        _check_size(len(value), shape, path, "entries")
        return [from_wire(v, shape.member, f"{path}[{i}]") for i, v in enumerate(value)]
    if kind == "map":
        _check_size(len(value), shape, path, "entries")
        return {
            from_wire(k, shape.key, f"{path} key"): from_wire(v, shape.value, f"{path}.{k}")
            for k, v in value.items()
        }
    if kind == "blob":
        return _blob(value, shape, path)
    if kind == "timestamp":
        return _timestamp(value, path)
    if kind in {"string", "character"}:
        _check_text(value, shape, path)
    elif kind != "boolean":
        _check_number(value, shape, path)
    return value


def to_wire(value: Any, shape: Shape) -> Any:
    """Python values of `shape` -> what JSON carries. A None member is written as null.

    Raises:
        Misfit: a member that the model does not know, or a number JSON cannot carry. The
            mistake is ours, not the caller's.
    """
    if value is None:
        return None
    kind = shape.type_name
    if kind == "structure":
        unknown = set(value) - set(shape.members)
        if unknown:
            raise Misfit(f"{shape.name} has no member {', '.join(sorted(unknown))}.")
        return {name: to_wire(item, shape.members[name]) for name, item in value.items()}
    if kind == "list":
        return [to_wire(item, shape.member) for item in value]
    if kind == "map":
        return {key: to_wire(item, shape.value) for key, item in value.items()}
    return _WRITERS.get(kind, _as_is)(value)


def _write_float(value: float) -> float:
    if not math.isfinite(value):
        raise Misfit(f"JSON has no number {value}.")
    return float(value)


def _as_is(value: Any) -> Any:
    return value


_WRITERS: Mapping[str, Callable[[Any], Any]] = {
    "blob": lambda data: base64.b64encode(data).decode(),
    "timestamp": lambda time: time.timestamp(),
    "float": _write_float,
    "double": _write_float,
}

_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "blob": (str,),
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
}
_EXPECTED: Mapping[str, str] = {
    "structure": "an object",
    "map": "an object",
    "list": "a list",
    "blob": "a base64 string",
    "string": "a string",
    "character": "a string",
    "boolean": "true or false",
    "integer": "a whole number",
    "long": "a whole number",
    "float": "a number",
    "double": "a number",
    "timestamp": "a time",
}


def _check_type(value: Any, kind: str, path: str) -> None:
    # To Python a bool is an int; to JSON it is not.
    if not isinstance(value, _JSON_TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise Misfit(f"{_name(path)} must be {_EXPECTED[kind]}.")


def _structure(value: Mapping[str, Any], shape: Shape, path: str) -> dict[str, Any]:
    given = {name: item for name, item in value.items() if item is not None}
    for name in given:
        if name not in shape.members:
            raise Misfit(f"{_name(path)} has no member `{name[:80]}`.")
    for name in shape.metadata.get("required", ()):
        if name not in given:
            raise Misfit(f"{_name(f'{path}.{name}')} is missing.")
    return {n: from_wire(v, shape.members[n], f"{path}.{n}") for n, v in given.items()}


def _blob(value: str, shape: Shape, path: str) -> bytes:
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Misfit(f"{_name(path)} is not valid base64.") from None
    if len(data) < shape.metadata.get("min", 0):
        raise Misfit(f"{_name(path)} must hold at least {shape.metadata['min']} bytes.")
    return data


def _timestamp(value: float | str, path: str) -> datetime:
    try:
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise Misfit(f"{_name(path)} must be a time.") from None


def _check_text(value: str, shape: Shape, path: str) -> None:
    _check_size(len(value), shape, path, "characters")
    # JSON can escape half of a surrogate pair, which no text and no URL holds.
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise Misfit(f"{_name(path)} must be valid Unicode.")
    rules = shape.metadata
    if value not in rules.get("enum", [value]):
        raise Misfit(f"{_name(path)} must be one of {', '.join(rules['enum'])}.")
    if "pattern" in rules and not re.fullmatch(rules["pattern"], value):
        raise Misfit(f"{_name(path)} must match {rules['pattern']}")


def _check_number(value: Any, shape: Shape, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise Misfit(f"{_name(path)} must be a finite number.")
    for bad, bound in _bounds(value, shape):
        if bad:
            raise Misfit(f"{_name(path)} must be {bound}.")


def _check_size(size: int, shape: Shape, path: str, unit: str) -> None:
    for bad, bound in _bounds(size, shape):
        if bad:
            raise Misfit(f"{_name(path)} must have {bound} {unit}.")


def _bounds(value: float, shape: Shape) -> Iterator[tuple[bool, str]]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    yield least is not None and value < least, f"at least {least}"
    yield most is not None and value > most, f"at most {most}"


def _name(path: str) -> str:
    return f"`{path.lstrip('.')}`" if path else "The request"
