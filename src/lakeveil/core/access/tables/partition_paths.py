"""Partitions as Hive spells them in paths: `year=2026/partner=a%2Fb`.

What a path could not hold is escaped as `%` and two hexadecimal digits (Hive, `FileUtils`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from lakeveil.core.access.tables.partitions import NULL

_ESCAPED = re.compile(r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]")


def partition_path(keys: Sequence[str], values: Sequence[str]) -> str:
    """The folder of a partition, relative to its table's location.

    >>> partition_path(["year", "partner"], ["2026", "a/b"])
    'year=2026/partner=a%2Fb'
    """
    return "/".join(
        f"{_escaped(key)}={_escaped(value or NULL)}"
        for key, value in zip(keys, values, strict=True)
    )


def partition_values(keys: Sequence[str], path: str) -> tuple[str, ...] | None:
    """The values that a folder stands for; None where it is no partition's of these keys.

    >>> partition_values(["year"], "year=2026"), partition_values(["year"], "month=1")
    (('2026',), None)
    """
    parts = path.strip("/").split("/")
    if len(parts) != len(keys):
        return None
    values = []
    for key, part in zip(keys, parts, strict=True):
        name, equals, value = part.partition("=")
        if not equals or not value or unquote(name).lower() != key:
            return None
        try:
            values.append(unquote(value, errors="strict"))
        except UnicodeDecodeError:
            return None
    return tuple(values)


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", text)
