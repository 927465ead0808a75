"""`FOR TIMESTAMP AS OF` and `FOR VERSION AS OF`: which state of a table, from constants alone.

A point in time is a timestamp or date constant (without a zone it is UTC, as Athena's), the time
of the query, or one of them plus or minus an interval.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.relations import AsOf

_MAX_DIGITS = 9
_UNITS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400, "WEEK": 604_800}


def as_of(version: exp.Expression, *, now: float) -> AsOf:
    """What a `FOR ... AS OF` means. `now` is in UTC seconds.

    Raises:
        QueryError: EXPRESSION_NOT_CONSTANT, or a time that is none.
    """
    kind, value = str(version.this).upper(), _plain(version.args.get("expression"))
    if str(version.args.get("kind")).upper() != "AS OF" or value is None:
        raise _not_constant()
    if kind == "VERSION":
        if not (isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit()):
            raise _not_constant()
        return AsOf(snapshot=int(value.name))
    if kind != "TIMESTAMP":
        raise _not_constant()
    moment = _moment(value, now)
    if moment.timestamp() > now:
        raise QueryError(
            ErrorName.INVALID_ARGUMENTS, "Pointer value is not in the past: time travel goes back"
        )
    return AsOf(
        timestamp_ms=(moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    )


def _plain(node: exp.Expression | None) -> exp.Expression | None:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _moment(node: exp.Expression, now: float) -> datetime:
    if isinstance(node, exp.CurrentTimestamp):
        return datetime.fromtimestamp(now, UTC)
    if isinstance(node, exp.Add | exp.Sub):
        left, right = _plain(node.this), _plain(node.expression)
        if left is None or not isinstance(right, exp.Interval):
            raise _not_constant()
        step = _interval(right)
        try:
            return _moment(left, now) + (step if isinstance(node, exp.Add) else -step)
        except OverflowError:
            raise _not_constant() from None
    if isinstance(node, exp.Cast):
        inner = _plain(node.this)
        times = (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.DATE)
        if isinstance(inner, exp.Literal) and inner.is_string and node.to.is_type(*times):
            return _read(inner.name)
    raise _not_constant()


def _interval(node: exp.Interval) -> timedelta:
    unit = node.args.get("unit")
    name = unit.name.upper().removesuffix("S") if isinstance(unit, exp.Var) else ""
    text = node.this.name if isinstance(node.this, exp.Literal) else ""
    if name not in _UNITS or not text.removeprefix("-").isdigit() or len(text) > _MAX_DIGITS:
        raise _not_constant()
    return timedelta(seconds=int(text) * _UNITS[name])


def _read(text: str) -> datetime:
    plain = text.strip()
    for name in (" UTC", " Z", "Z"):
        if plain.endswith(name):
            plain = plain.removesuffix(name) + "+00:00"
    head, sign, zone = plain.rpartition(" ")
    if sign and zone[:1] in {"+", "-"}:
        plain = head + zone
    try:
        found = datetime.fromisoformat(plain)
    except ValueError:
        raise QueryError(
            ErrorName.INVALID_LITERAL,
            "a point in time is TIMESTAMP '2026-01-31 23:59:59 UTC' or DATE '2026-01-31'",
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _not_constant() -> QueryError:
    return QueryError(
        ErrorName.EXPRESSION_NOT_CONSTANT,
        "time travel takes a constant: a snapshot's number, a timestamp, or the current time "
        "with an interval",
    )
