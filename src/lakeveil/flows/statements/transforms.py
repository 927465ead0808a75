"""Partition transforms as CTAS writes them in texts: `day(ts)`, `bucket(id, 16)`, `region`."""

from __future__ import annotations

import re

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.statements import PartitionTransform

_PLAIN = re.compile(r'"?([\w$]+)"?')
_TIMED = re.compile(r'(year|month|day|hour)s?\(\s*"?([\w$]+)"?\s*\)', re.IGNORECASE)
_SIZED = re.compile(r'(bucket|truncate)\(\s*"?([\w$]+)"?\s*,\s*(\d{1,9})\s*\)', re.IGNORECASE)


def transform_of(text: str) -> PartitionTransform:
    """A transform.

    Raises:
        QueryError: INVALID_TABLE_PROPERTY, it is none.
    """
    given = text.strip()
    if found := _PLAIN.fullmatch(given):
        return PartitionTransform(found[1].lower())
    if found := _TIMED.fullmatch(given):
        return PartitionTransform(found[2].lower(), found[1].lower())
    if found := _SIZED.fullmatch(given):
        return PartitionTransform(found[2].lower(), found[1].lower(), int(found[3]))
    raise QueryError(
        ErrorName.INVALID_TABLE_PROPERTY, f"Invalid partition transform: {given[:128]}"
    )
