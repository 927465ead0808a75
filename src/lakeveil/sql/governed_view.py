"""What of a scan may be seen, in the engine's SQL. Apart, so that ports can name it cheaply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernedView:
    """What of a scan may be seen, in the engine's SQL; made by `sql.governed` alone.

    `columns` are name -> expression over the scan's columns, `where` is a condition over them.
    """

    columns: Mapping[str, str]
    where: str = "TRUE"
