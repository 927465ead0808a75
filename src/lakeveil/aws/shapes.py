"""Values as AWS models describe them: JSON to Python and back, and what is wrong with an input.

Driven by the forms of botocore's shapes, so no operation writes its own parser. Nothing here knows
a transport: JSON is what every protocol's body is translated to and from.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lakeveil.aws.forms import Form

MAX_DEPTH = 32
"""How deep values may lie within each other; only models that refer to themselves get so far."""


class Misfit(ValueError):
    """A value that its shape does not allow. The message names the member, never the value."""


def from_wire(value: Any, form: Form, path: str = "", depth: int = 0) -> Any:
    """A JSON value -> checked Python values: blobs as bytes, timestamps aware, nulls dropped.

    Checked are types, required and unknown members, unions, lengths, ranges, patterns,
    vocabularies and depth. A blob's greatest length is left to the operation, which has an error
    of its own for that. An unknown member is refused where AWS ignores it: we never do less than
    was asked for without saying so.

    Raises:
        Misfit: with the first thing that is wrong.
    """
    if depth > MAX_DEPTH:
        raise Misfit(f"{_name(path)} is nested too deeply.")
    if form.document:
        return _document(value, path, depth)
    kind = form.kind
    _check_type(value, kind, path)
    if kind == "structure":
        return _structure(value, form, path, depth)
    if kind == "list":
        _check_size(len(value), form, path, "entries")
        entry = form.each()
        return [from_wire(v, entry, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)]
    if kind == "map":
        return _map(value, form, path, depth)
    return _scalar(value, form, path)


def to_wire(value: Any, form: Form) -> Any:
    """Python values of `form` -> what JSON carries. A member that is None is left out.

    Times are aware datetimes or UTC seconds since the epoch. Types, required and unknown members
    and unions are checked; lengths, patterns and vocabularies are not, as clients do not mind
    them in an answer.

    Raises:
        Misfit: the value is not what the model says. The mistake is ours, not the caller's.
    """
    if form.document:
        return _document(value, form.name, 0)
    kind = form.kind
    if kind != "structure" or type(value) is not dict:
        _check_python_type(value, form)
    if kind == "structure":
        return _write_structure(value, form)
    if kind == "list":
        entry = form.each()
        return [to_wire(item, entry) for item in value]
    if kind == "map":
        entry, key_form = form.each(), form.key
        if key_form is None:
            raise TypeError(f"{form.name} has no form of keys")
        return {to_wire(key, key_form): to_wire(item, entry) for key, item in value.items()}
    writer = _WRITERS.get(kind)
    return writer(value, form) if writer else value


def _write_structure(value: Mapping[str, Any], form: Form) -> dict[str, Any]:
    members, written = form.members, dict[str, Any]()
    for name, item in value.items():
        if item is None:
            continue
        member = members.get(name)
        if member is None:
            raise Misfit(f"{form.name} has no member `{name}`.")
        # Most of every answer is text, and a table may have thousands of columns.
        plain = type(item) is str and member.kind == "string"
        written[name] = item if plain else to_wire(item, member)
    if form.required or form.union:
        _check_completeness(written, form, f".{form.name}")
    return written


def _check_python_type(value: Any, form: Form) -> None:
    whether = value is True or value is False
    if not isinstance(value, _PYTHON_TYPES[form.kind]) or whether != (form.kind == "boolean"):
        raise Misfit(f"{form.name} cannot be {type(value).__name__}.")


def _write_float(value: float, form: Form) -> float:
    if not math.isfinite(value):
        raise Misfit(f"{form.name}: JSON has no number {value}.")
    return float(value)


def _write_time(value: datetime | float, form: Form) -> float | str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise Misfit(f"{form.name} must be a time that knows its zone.")
        value = value.timestamp()
    return iso8601(value) if form.iso8601 else _write_float(value, form)


def iso8601(seconds: float) -> str:
    """UTC seconds since the epoch -> `2026-01-31T23:59:59Z`, with milliseconds where there are."""
    time = datetime.fromtimestamp(seconds, UTC)
    exact = "milliseconds" if time.microsecond else "seconds"
    return time.isoformat(timespec=exact).replace("+00:00", "Z")


_WRITERS: Mapping[str, Callable[[Any, Form], Any]] = {
    "blob": lambda data, _form: base64.b64encode(data).decode(),
    "timestamp": _write_time,
    "float": _write_float,
    "double": _write_float,
}

_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "structure": (Mapping,),
    "map": (Mapping,),
    "list": (list, tuple),
    "blob": (bytes,),
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (datetime, int, float),
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


def _scalar(value: Any, form: Form, path: str) -> Any:
    kind = form.kind
    if kind == "blob":
        return _blob(value, form, path)
    if kind == "timestamp":
        return _timestamp(value, path)
    if kind in {"string", "character"}:
        _check_text(value, form, path)
    elif kind != "boolean":
        _check_number(value, form, path)
    return value


def _structure(value: Mapping[str, Any], form: Form, path: str, depth: int) -> dict[str, Any]:
    given = {name: item for name, item in value.items() if item is not None}
    _check_members(given, form, path)
    members = form.members
    return {n: from_wire(v, members[n], f"{path}.{n}", depth + 1) for n, v in given.items()}


def _check_members(given: Mapping[str, Any], form: Form, path: str) -> None:
    for name in given:
        if name not in form.members:
            raise Misfit(f"{_name(path)} has no member `{name[:80]}`.")
    _check_completeness(given, form, path)


def _check_completeness(given: Mapping[str, Any], form: Form, path: str) -> None:
    for name in form.required:
        if name not in given:
            raise Misfit(f"{_name(f'{path}.{name}')} is missing.")
    if form.union and len(given) != 1:
        raise Misfit(f"{_name(path)} must have exactly one member.")


def _map(value: Mapping[str, Any], form: Form, path: str, depth: int) -> dict[str, Any]:
    _check_size(len(value), form, path, "entries")
    entry, key_form = form.each(), form.key
    if key_form is None:
        raise TypeError(f"{form.name} has no form of keys")
    return {
        from_wire(k, key_form, f"{path} key", depth + 1): from_wire(
            v, entry, f"{path}.{k[:80]}", depth + 1
        )
        for k, v in value.items()
    }


def _document(value: Any, path: str, depth: int) -> Any:
    """Any JSON, as it is; only what no JSON is, or no text, is refused."""
    if depth > MAX_DEPTH:
        raise Misfit(f"{_name(path)} is nested too deeply.")
    if isinstance(value, Mapping):
        return {
            _unicode(name, path): _document(item, path, depth + 1) for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_document(item, path, depth + 1) for item in value]
    if isinstance(value, str):
        return _unicode(value, path)
    if isinstance(value, float) and not math.isfinite(value):
        raise Misfit(f"{_name(path)} must hold finite numbers.")
    if value is not None and not isinstance(value, bool | int | float):
        raise Misfit(f"{_name(path)} must be JSON.")
    return value


def _blob(value: str, form: Form, path: str) -> bytes:
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Misfit(f"{_name(path)} is not valid base64.") from None
    if len(data) < (form.least or 0):
        raise Misfit(f"{_name(path)} must hold at least {form.least} bytes.")
    return data


def _timestamp(value: float | str, path: str) -> datetime:
    try:
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise Misfit(f"{_name(path)} must be a time.") from None


def _check_text(value: str, form: Form, path: str) -> None:
    _check_size(len(value), form, path, "characters")
    _unicode(value, path)
    if form.enum and value not in form.enum:
        raise Misfit(f"{_name(path)} must be one of {', '.join(form.enum)}.")
    if form.pattern and not form.pattern.fullmatch(value):
        raise Misfit(f"{_name(path)} must match {form.pattern_text}")


def _unicode(value: Any, path: str) -> str:
    # JSON can escape half of a surrogate pair, which no text and no URL holds.
    try:
        return str(value.encode() and value)
    except (AttributeError, UnicodeEncodeError):
        raise Misfit(f"{_name(path)} must be valid Unicode.") from None


def _check_number(value: Any, form: Form, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise Misfit(f"{_name(path)} must be a finite number.")
    for bad, bound in _bounds(value, form):
        if bad:
            raise Misfit(f"{_name(path)} must be {bound}.")


def _check_size(size: int, form: Form, path: str, unit: str) -> None:
    if form.least is None and form.most is None:
        return
    for bad, bound in _bounds(size, form):
        if bad:
            raise Misfit(f"{_name(path)} must have {bound} {unit}.")


def _bounds(value: float, form: Form) -> Iterator[tuple[bool, str]]:
    least, most = form.least, form.most
    yield least is not None and value < least, f"at least {least}"
    yield most is not None and value > most, f"at most {most}"


def _name(path: str) -> str:
    return f"`{path.lstrip('.')}`" if path else "The request"
