"""What goes on record: events, the records made of them, and their one canonical form.

A record is stored as canonical JSON (sorted keys, no spaces, ASCII, finite numbers), and hashed
and compared as exactly that text: nobody needs to agree on how to print a number twice.
What cannot be written so is refused, and whoever asked must then not go on. Empty fields are left
out. Times are UTC seconds since the epoch.

Values of people's data never go into a record in clear: literals of queries and of row filters
belong into `sensitive`, which is kept encrypted under a key of its own and can be erased later.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from typing import Any, NewType, TypeAlias

from lakeveil.errors import UsageError

AuditId = NewType("AuditId", str)
"""Names one record for good: 32 hexadecimal digits."""

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

MAX_RECORD_BYTES = 256 * 1024
MAX_DEPTH = 32
FORMAT = 1
"""Kept in every record, so that a later form can be told apart."""


class AuditOutcome(StrEnum):
    """How what an event tells of ended."""

    ALLOWED = "allowed"
    """It was decided that it may happen; an intent says no more than that."""
    REFUSED = "refused"
    """The caller may not do this."""
    FAILED = "failed"
    """It was allowed, and went wrong."""
    DONE = "done"
    """It happened."""


class RecordKind(StrEnum):
    """What a record is to others."""

    INTENT = "intent"
    """Written before data leaves or a change is made; a completion should follow."""
    COMPLETION = "completion"
    """What became of an intent."""
    EVENT = "event"
    """Complete in itself: a sign-in, a refusal, a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what to which resource, and why it was decided so.

    `decision` tells names (columns allowed and hidden), never values of data.

    Raises:
        UsageError: it names nobody or nothing.
    """

    principal: str
    """ARN; `anonymous` where nobody signed."""
    action: str
    """As IAM names it (`lakeformation:GrantPermissions`), or `query`, `sign-in`."""
    outcome: AuditOutcome
    session: str = ""
    """ARN of the assumed-role session."""
    access_key: str = ""
    """Its id, never its secret."""
    account: str = ""
    resource: str = ""
    request_id: str = ""
    source_ip: str = ""
    error_code: str = ""
    decision: Mapping[str, Json] = field(default_factory=dict)
    grants: tuple[str, ...] = ()
    """Ids of the grants that made the decision."""
    before: Json = None
    after: Json = None
    size_bytes: int | None = None
    rows: int | None = None
    detail: Mapping[str, Json] = field(default_factory=dict)
    sensitive: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Literals; encrypted before they are written, erasable after."""

    def __post_init__(self) -> None:
        for name in ("principal", "action"):
            if not getattr(self, name):
                raise UsageError(
                    f"an audit event has no {name}",
                    why="a record must say who did what",
                    fix="write `anonymous` where nobody signed",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """An event in its place: the `sequence`-th record (from 1) of its writer."""

    id: AuditId
    writer: str
    sequence: int
    at: float
    kind: RecordKind
    event: AuditEvent
    """Its `sensitive` is empty: that part is in `sealed`."""
    intent: AuditId | None = None
    """What a completion completes."""
    sealed: str = ""
    """Ciphertext of the event's `sensitive`, base64."""


def to_json(record: AuditRecord) -> str:
    """The canonical text of a record, in ASCII.

    Raises:
        UsageError: it holds what JSON cannot say, `sensitive` in clear, or too much.
    """
    event = record.event
    if event.sensitive:
        raise _unwritable("its sensitive part is in clear", "encrypt it first")
    said: dict[str, Any] = {
        "id": record.id,
        "writer": record.writer,
        "sequence": record.sequence,
        "at": record.at,
        "kind": record.kind.value,
        "intent": record.intent,
        "sealed": record.sealed,
        **{name: getattr(event, name) for name in _EVENT_FIELDS},
        "outcome": event.outcome.value,
    }
    said = {name: value for name, value in said.items() if value != _DEFAULTS.get(name, _NEVER)}
    text = canonical({"v": FORMAT, **said})
    if len(text) > MAX_RECORD_BYTES:
        raise _unwritable(
            f"it would take {len(text):,} bytes; the limit is {MAX_RECORD_BYTES:,}",
            "name what is long by an id or a hash",
        )
    return text


def from_json(text: str) -> AuditRecord:
    """The record that a canonical text holds.

    Raises:
        ValueError: it is no record, or not in the canonical form.
    """
    try:
        said = json.loads(text)
        if said.pop("v") != FORMAT or set(said) - _RECORD_FIELDS:
            raise ValueError("an unknown form of record")
        record = AuditRecord(
            id=AuditId(said.pop("id")),
            writer=said.pop("writer"),
            sequence=said.pop("sequence"),
            at=said.pop("at"),
            kind=RecordKind(said.pop("kind")),
            intent=said.pop("intent", None),
            sealed=said.pop("sealed", ""),
            event=AuditEvent(
                outcome=AuditOutcome(said.pop("outcome")),
                grants=tuple(said.pop("grants", ())),
                **said,
            ),
        )
        if to_json(record) != text:
            raise ValueError("not the canonical form")
    except (KeyError, TypeError, AttributeError, RecursionError, UsageError) as error:
        raise ValueError("not a record") from error
    return record


def canonical(value: Json) -> str:
    """JSON with sorted keys, without spaces, in ASCII; equal values give equal text.

    >>> canonical({"b": (1, 2.5), "a": None})
    '{"a":null,"b":[1,2.5]}'

    Raises:
        UsageError: JSON cannot say it (NaN, bytes, keys that are no text), or it is too deep.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def searchable(text: str) -> str:
    """Text as every database can keep it in a column: no NUL, no lone surrogate."""
    clean = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return clean.replace("\0", "\\x00")


def index_columns(record: AuditRecord) -> dict[str, Any]:
    """The columns by which a record is found: copies, which verification compares with it."""
    return {
        "writer": record.writer,
        "sequence": record.sequence,
        "id": record.id,
        "at": record.at,
        "kind": record.kind.value,
        "intent_id": record.intent,
        "principal": searchable(record.event.principal),
        "action": searchable(record.event.action),
        "resource": searchable(record.event.resource),
        "outcome": record.event.outcome.value,
    }


_EVENT_FIELDS = tuple(f.name for f in fields(AuditEvent) if f.name not in {"outcome", "sensitive"})
_RECORD_FIELDS = {
    *(f.name for f in fields(AuditRecord) if f.name != "event"),
    *_EVENT_FIELDS,
    "outcome",
}


_NEVER = object()
# What a field that is left out stands for.
_DEFAULTS: dict[str, Any] = {
    f.name: f.default if f.default_factory is MISSING else f.default_factory()
    for f in (*fields(AuditEvent), *fields(AuditRecord))
    if f.default is not MISSING or f.default_factory is not MISSING
}


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise _unwritable(f"it is nested more than {MAX_DEPTH} deep", "flatten it")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        # An enumeration's member is its text, not its name.
        return str.__str__(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {str.__str__(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    # The value itself may be a secret: its type is all we tell.
    raise _unwritable(
        f"it holds a {type(value).__name__} that JSON cannot say", "use text, numbers and lists"
    )


def _unwritable(why: str, fix: str) -> UsageError:
    return UsageError(
        "this cannot be put on record, so it may not happen",
        why=why,
        fix=fix,
        code="audit_unwritable",
    )
