"""What is written into tables and places goes on record first, and what became of it after.

Reading has its own records (`run_query.reading`); the catalog's changes have theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lakeveil.core.audit import AuditOutcome, Json
from lakeveil.errors import LakeveilError
from lakeveil.flows.run_query import Asked


@contextmanager
def writing(
    resource: str, asked: Asked, *, said: Mapping[str, Json] | None = None
) -> Iterator[dict[str, Json]]:
    """Put on record that something is about to be written; what is kept in the dict, after it.

    Raises:
        Unavailable: the audit log does not answer, and nothing is written.
    """
    audit = asked.desk.catalog.audit
    asked_for: dict[str, Json] = {"query": asked.execution.id, **(said or {})}
    intent = audit.intend(asked.call.event(AuditOutcome.ALLOWED, resource, asked=asked_for))
    detail: dict[str, Json] = {}
    try:
        yield detail
    except BaseException as error:
        code = error.code if isinstance(error, LakeveilError) else type(error).__name__
        audit.complete(intent, outcome=AuditOutcome.FAILED, error_code=code)
        raise
    audit.complete(intent, outcome=AuditOutcome.DONE, detail=detail)
