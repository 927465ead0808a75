"""Changes, expressions and places as people type them.

| text | change |
|---|---|
| `tag d.t.email class=private` | set a tag on a column, table or database |
| `untag d.t.email class` | remove it there |
| `grant PRINCIPAL d.t.email` | SELECT by name on a column, or a whole table |
| `grant PRINCIPAL class=non-private and owner=internal` | SELECT by tags |
| `revoke ID` | remove a grant |
| `widen ID class=private` | let a grant by tags take one more value |
| `extend ID 2026-12-31` | let a grant count until the end of that day (UTC) |
| `join PRINCIPAL GROUP`, `leave PRINCIPAL GROUP` | membership |
| `register d.t` | register the table's location |

Principals are identifiers (`arn:aws:iam::...`). Nothing is guessed: what does not fit is refused.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lakeveil.core.access.changing.changes import (
    AddGrant,
    Change,
    ExtendGrant,
    JoinGroup,
    LeaveGroup,
    RegisterLocation,
    RemoveGrant,
    RemoveTag,
    SetTag,
    TagPlace,
    WidenGrant,
)
from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnDatabase,
    OnTable,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, fold
from lakeveil.errors import UsageError

_COLUMN_PARTS, _TABLE_PARTS = 3, 2


def change_of(text: str, *, account: str) -> Change:  # noqa: C901, PLR0911 - one for each change
    """A change, about the catalog of an account.

    Raises:
        UsageError: it is none of those above.
    """
    verb, _, rest = text.strip().partition(" ")
    words = rest.split()
    match verb, words:
        case "tag", [place, tag]:
            key, value = _tag(tag)
            return SetTag(place_of(place, account=account), key, value)
        case "untag", [place, key]:
            return RemoveTag(place_of(place, account=account), fold(key))
        case "grant", [principal, *on] if on:
            return AddGrant(_grant(principal, " ".join(on), account))
        case "revoke", [grant]:
            return RemoveGrant(grant)
        case "widen", [grant, tag]:
            key, value = _tag(tag)
            return WidenGrant(grant, key, value)
        case "extend", [grant, until]:
            return ExtendGrant(grant, end_of_day(until))
        case "join", [principal, group]:
            return JoinGroup(principal, group)
        case "leave", [principal, group]:
            return LeaveGroup(principal, group)
        case "register", [name]:
            what = place_of(name, account=account)
            if isinstance(what, OnTable) and what.table is not None:
                return RegisterLocation(TableName(account, what.database, what.table))
        case _:
            pass
    raise UsageError(
        f"`{text}` is no change",
        why="it starts with tag, untag, grant, revoke, widen, extend, join, leave or register",
        fix="for example: tag d.t.email class=private",
    )


def place_of(text: str, *, account: str) -> TagPlace:
    """A database, `database.table`, or `database.table.column`.

    Raises:
        UsageError: it is none of these.
    """
    parts = [part.lower() for part in text.split(".")]
    if all(parts):
        if len(parts) == 1:
            return OnDatabase(account, parts[0])
        if len(parts) == _TABLE_PARTS:
            return OnTable(account, parts[0], parts[1])
        if len(parts) == _COLUMN_PARTS:
            return OnColumns(account, parts[0], parts[1], frozenset({parts[2]}))
    raise UsageError(
        f"`{text}` is no database, table or column",
        why="its parts are joined with single dots",
        fix="write it as database.table.column",
    )


def expression_of(text: str) -> Expression:
    """An expression as it prints: `class=non-private|public and owner=internal`.

    Raises:
        UsageError: it is none.
    """
    terms: dict[str, list[str]] = {}
    for term in text.split(" and "):
        key, value = _tag(term.strip())
        if key in terms:
            raise UsageError(
                f"`{text}` names `{key}` twice",
                why="a column has one value of it, so both could never match",
                fix=f"write its values as {key}=one|other",
            )
        terms[key] = value.split("|")
    if any(not value for values in terms.values() for value in values):
        raise UsageError(f"`{text}` has an empty value", fix="write it as key=value")
    return Expression.of(terms)


def end_of_day(text: str) -> float:
    """The end of a day, written as `2026-12-31`, in UTC seconds.

    Raises:
        UsageError: it is no date.
    """
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"`{text}` is no day", fix="write it as 2026-12-31") from None
    return (day + timedelta(days=1)).timestamp()


def _grant(principal: str, on: str, account: str) -> Grant:
    resource: Resource
    if "=" in on:
        resource = TagPolicy(account, PolicyKind.TABLE, expression=expression_of(on))
    else:
        resource = place_of(on, account=account)
        if isinstance(resource, OnDatabase):
            raise UsageError(
                f"SELECT on database `{on}` is no grant",
                why="a database has no data of its own",
                fix="name a table or column, or tags",
            )
    return Grant(
        id="proposed",
        account=account,
        principal=principal,
        resource=resource,
        permissions=frozenset({Permission.SELECT}),
    )


def _tag(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip() or not value.strip():
        raise UsageError(f"`{text}` is no tag", fix="write it as key=value")
    return fold(key.strip()), fold(value.strip())
