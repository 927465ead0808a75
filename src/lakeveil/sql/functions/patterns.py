"""Regular expressions. Trino's are Java's, the engine's are RE2's.

https://trino.io/docs/current/functions/regexp.html. What RE2 does not have (looking around, back
references, possessive repeats, set operations in classes) is refused in a constant pattern; in one
that is computed RE2 fails, or reads it as RE2 does.
"""

from __future__ import annotations

import re

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.functions.table import Call, Function, Rewrite, Status, fn, refused, section
from lakeveil.sql.functions.templates import fill

_NOT_RE2 = re.compile(
    r"\(\?<?[=!]|\(\?>|\\[1-9kKgGhHRvVXZ]|[*+?}]\+|&&|\(\?[a-zA-Z]*[ux]|\[[^\]]*\["
)
_REFERENCE = re.compile(r"\\(.)|\$(\d)|\$(.?)", re.DOTALL)


def _checked(template: str) -> Rewrite:
    def rewritten(one: Call) -> exp.Expr:
        pattern = one.given[1]
        if not (isinstance(pattern, exp.Literal) and pattern.is_string):
            raise QueryError(ErrorName.NOT_SUPPORTED, f"{one.name}: its pattern must be a constant")
        if _NOT_RE2.search(pattern.name.replace("\\\\", "")):
            raise QueryError(
                ErrorName.NOT_SUPPORTED, f"{one.name}: this pattern has what RE2 does not have"
            )
        return fill(template, one.args, one.returns)

    return rewritten


def _replaced(one: Call) -> exp.Expr:
    replacement = one.given[2] if len(one.given) > 2 else exp.Literal.string("")  # noqa: PLR2004
    if not (isinstance(replacement, exp.Literal) and replacement.is_string):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "regexp_replace: its replacement must be a constant"
        )
    text = exp.Literal.string(_REFERENCE.sub(_reference, replacement.name))
    args = [*one.args[:2], text]
    shifted = Call(name=one.name, args=args, types=one.types, returns=one.returns, given=one.given)
    return _checked("regexp_replace(_0, _1, _2, 'g')")(shifted)


def _reference(found: re.Match[str]) -> str:
    escaped, group = found[1], found[2]
    if escaped is not None:
        return "\\\\" if escaped == "\\" else escaped
    if group is not None:
        return f"\\{group}"
    raise QueryError(
        ErrorName.NOT_SUPPORTED, "regexp_replace: only $0 to $9 refer to groups in a replacement"
    )


_NOTE = "patterns are RE2's, and constants"


def _row(name: str, *overloads: tuple[str, Rewrite]) -> Function:
    return fn(name, *overloads, status=Status.APPROXIMATE, note=_NOTE)


_EXTRACT = "CASE WHEN regexp_matches(_0, _1) THEN regexp_extract(_0, _1{}) END"

ROWS = section(
    "Regular expression functions",
    _row(
        "regexp_count", ("varchar, varchar -> bigint", _checked("len(regexp_extract_all(_0, _1))"))
    ),
    _row(
        "regexp_extract",
        ("varchar, varchar -> varchar", _checked(_EXTRACT.format(""))),
        ("varchar, varchar, integer -> varchar", _checked(_EXTRACT.format(", _2"))),
    ),
    _row(
        "regexp_extract_all",
        ("varchar, varchar -> array(varchar)", _checked("regexp_extract_all(_0, _1)")),
        ("varchar, varchar, integer -> array(varchar)", _checked("regexp_extract_all(_0, _1, _2)")),
    ),
    _row("regexp_like", ("varchar, varchar -> boolean", _checked("regexp_matches(_0, _1)"))),
    _row(
        "regexp_replace",
        ("varchar, varchar -> varchar", _replaced),
        ("varchar, varchar, varchar -> varchar", _replaced),
    ),
    _row(
        "regexp_split",
        ("varchar, varchar -> array(varchar)", _checked("regexp_split_to_array(_0, _1)")),
    ),
    refused("regexp_position", "the engine tells no positions of matches"),
)
