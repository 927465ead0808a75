"""The table: every operation of every service, in an order that builds a lake and takes it down."""

from __future__ import annotations

from tests.doors.every_operation import athena_rows, glue_rows, lakeformation_rows, own_rows
from tests.doors.every_operation.names import Names
from tests.doors.every_operation.rows import Row


def built(n: Names) -> list[Row]:
    """What makes the lake."""
    return [
        *lakeformation_rows.found(n),
        *glue_rows.build(n),
        *lakeformation_rows.build(n),
        *own_rows.build(n),
        *athena_rows.build(n),
    ]


def looked_at(n: Names) -> list[Row]:
    """What reads it."""
    return [
        *own_rows.identity(n),
        *own_rows.faces(),
        *glue_rows.look(n),
        *lakeformation_rows.look(n),
        *own_rows.look(n),
        *athena_rows.look(n),
    ]


def taken_down(n: Names) -> list[Row]:
    """What undoes it."""
    return [
        *athena_rows.tear_down(n),
        *own_rows.tear_down(n),
        *lakeformation_rows.tear_down(n),
        *glue_rows.tear_down(n),
        *lakeformation_rows.let_go(n),
    ]


def table(n: Names) -> list[Row]:
    """All of it."""
    return [*built(n), *looked_at(n), *taken_down(n)]
