"""Where a statement's own files lie beside a result, under the names that Athena gives them."""

from __future__ import annotations

from lakeveil.core.query.execution import QueryExecution


def tables_location(execution: QueryExecution) -> str:
    """Where a table lies that nobody said a location for: `.../tables/ID`."""
    return f"{_folder(execution)}/tables/{execution.id}"


def manifest_location(execution: QueryExecution, *, tables: bool = False) -> str:
    """Where it is listed which files a statement wrote."""
    middle = "tables/" if tables else ""
    return f"{_folder(execution)}/{middle}{execution.id}-manifest.csv"


def _folder(execution: QueryExecution) -> str:
    return execution.output.rpartition("/")[0]
