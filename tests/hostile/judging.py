"""Whether what somebody got for a statement is what must happen."""

from __future__ import annotations

from tests.hostile.attempts import Outcome, Statement, sorted_rows
from tests.hostile.in_process import Permitted


def wrong(one: Statement, got: Outcome, permitted: Permitted) -> str:  # noqa: PLR0911 - the same
    """What is wrong with it; empty if nothing."""
    leaked = got.leaked(one)
    if leaked:
        return f"leaks {', '.join(sorted(leaked))}"
    if one.refused:
        return "" if got.error == one.refused else f"{got.error or 'it ran'}: {got.words}"
    if one.stopped:
        ended = got.rows is not None or got.error.startswith("EXCEEDED_")
        return "" if ended else f"{got.error}: {got.words}"
    if one.sql.upper().startswith("EXPLAIN"):
        return "" if got.rows else f"{got.error}: {got.words}"
    if one.rows is not None and sorted_rows(got.rows) != sorted_rows([tuple(r) for r in one.rows]):
        return f"{got.error} {got.rows}"
    wanted = permitted.tried(one)
    if (got.rows is None) != (wanted.rows is None):
        return f"{got.error or 'it ran'} where it should be {wanted.error or 'rows'}: {got.words}"
    if sorted_rows(got.rows) != sorted_rows(wanted.rows):
        return "the permitted copy says otherwise"
    return ""
