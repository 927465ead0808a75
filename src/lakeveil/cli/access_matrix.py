"""`lakeveil access matrix|diff`: who sees what, and who would gain or lose which columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.access_session import account_of, account_option, opened, principal_of
from lakeveil.cli.session import Session, json_option
from lakeveil.cli.why_text import exposure_text, gain_document
from lakeveil.core.access.changing.change_text import change_of, expression_of
from lakeveil.core.access.changing.exposure import Exposure, Gain
from lakeveil.core.access.explaining.cells import Cell, cells, compared, protected
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.tags import Expression
from lakeveil.errors import Refused, UsageError

if TYPE_CHECKING:
    from lakeveil.core.access.changing.changes import LakeState

COLUMNS = ["principal", "table", "column", "outcome", "rows", "masks", "grants"]
TagsOf = Mapping[tuple[TableName, str], Mapping[str, str]]


@click.command()
@click.option("--database", metavar="NAME", help="Only this database.")
@click.option("--principal", metavar="NAME", help="Only this user, role or identifier.")
@click.option("--hidden", is_flag=True, help="Hidden columns, too; a file always has them.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
    help="Write a file instead: .parquet or .csv.",
)  # fmt: skip
@account_option
@json_option
@click.pass_obj
def matrix(
    session: Session,
    database: str | None,
    principal: str | None,
    output: Path | None,
    account: str,
    *,
    hidden: bool,
) -> None:
    """List who sees which column, whole or masked, and by which grants.

    A file written with --output is a snapshot that `lakeveil access diff` compares.

    \b
    Examples:
      lakeveil access matrix --principal ana
      lakeveil access matrix --output before.parquet
    """
    with opened(session) as desk:
        account = account_of(desk, account) if database or principal else account
        state = _state(desk.lake, desk.people, database, account)
        if principal:
            who = principal_of(desk, principal, account)
            state = _only(state, who.arn, {who.arn: who})
        every = cells(state, now=desk.clock.now())
        if output is not None:
            from lakeveil.adapters.access_export import write_cells

            session.emit({"file": str(output), "cells": write_cells(every, output)})
            return
        rows = (_row(cell) for cell in every if hidden or cell.outcome.value != "hidden")
        session.emit_rows(rows, COLUMNS, empty="nobody sees anything yet")


@click.command()
@click.option("--before", type=click.Path(path_type=Path, exists=True), help="An earlier matrix.")
@click.option("--after", type=click.Path(path_type=Path, exists=True), help="Default: now.")
@click.option(
    "--change", "changes", multiple=True, metavar="TEXT",
    help="What would be done now, as in `tag d.t.email class=private`; may be repeated.",
)  # fmt: skip
@click.option(
    "--fail-on", metavar="TAGS", help="Exit with 5 when anybody gains a column tagged so."
)
@account_option
@json_option
@click.pass_obj
def diff(
    session: Session,
    *,
    before: Path | None,
    after: Path | None,
    changes: tuple[str, ...],
    fail_on: str | None,
    account: str,
) -> None:
    """Show who gains and who loses which columns.

    Between two matrices written with `lakeveil access matrix --output`, between one and now, or by
    a change that is not made yet. With --fail-on it guards a pipeline: a column counts as tagged so
    if it was before or would be after. Changes are written as:

    \b
      tag d.t.email class=private        untag d.t.email class
      grant ARN d.t.email                grant ARN class=open and owner=internal
      revoke ID                          widen ID class=private
      extend ID 2026-12-31               register d.t
      join ARN GROUP-ARN                 leave ARN GROUP-ARN

    \b
    Examples:
      lakeveil access diff --before monday.parquet
      lakeveil access diff --change 'untag ads.events.email class' --fail-on class=private
    """
    guarded = expression_of(fail_on) if fail_on else None
    if bool(before) == bool(changes) or (after and changes):
        raise UsageError(
            "say what to compare",
            why="it takes --before with a file, or --change",
            fix="lakeveil access diff --help",
        )
    if before is not None:
        exposure, tags = _between(session, before, after)
    else:
        exposure, tags = _by_changes(session, changes, account)
    _emit(session, exposure)
    if guarded is not None:
        _guard(exposure.gains, tags, guarded)


def _between(session: Session, before: Path, after: Path | None) -> tuple[Exposure, list[TagsOf]]:
    from lakeveil.adapters.access_export import read_cells

    earlier = list(read_cells(before))
    if after is not None:
        later = list(read_cells(after))
    else:
        with opened(session) as desk:
            state = _state(desk.lake, desk.people, None, "")
            later = list(cells(state, now=desk.clock.now()))
    return compared(earlier, later), [_tags(earlier), _tags(later)]


def _by_changes(
    session: Session, texts: Iterable[str], account: str
) -> tuple[Exposure, list[TagsOf]]:
    from lakeveil.core.access.changing.changes import apply_all
    from lakeveil.flows.lake_state import exposing

    with opened(session) as desk:
        account = account_of(desk, account)
        state = _state(desk.lake, desk.people, None, "")
        now = desk.clock.now()
    changes = [change_of(text, account=account) for text in texts]
    after = apply_all(changes, state)
    exposed = exposing(state, now=now)(changes, state, now)
    return exposed, [_tags_of(state), _tags_of(after)]


def _guard(gains: Iterable[Gain], tags: list[TagsOf], guarded: Expression) -> None:
    every = list(gains)
    found = [
        gain for gain in every if any(protected([gain], of_state, guarded) for of_state in tags)
    ]
    if found:
        raise Refused(
            f"{len(found)} cells tagged `{guarded}` would be gained",
            why=f"for example {found[0]}",
            fix="leave the change out, or drop --fail-on once somebody has agreed to it",
            code="protected_gain",
        )


def _emit(session: Session, exposure: Exposure) -> None:
    if session.as_json:
        session.emit(
            {
                "gains": [gain_document(gain) for gain in exposure.gains],
                "losses": [gain_document(gain) for gain in exposure.losses],
            }
        )
        return
    rows = [
        {"": sign, **gain_document(gain)}
        for sign, gains in (("+", exposure.gains), ("-", exposure.losses))
        for gain in gains
    ]
    session.emit_rows(
        rows,
        ["", "principal", "table", "column", "before", "after"],
        empty="nobody gains or loses anything",
    )
    session.say(exposure_text(exposure.gains, exposure.losses))


def _state(lake: Any, people: Any, database: str | None, account: str) -> LakeState:
    from lakeveil.flows.lake_state import read_state

    return read_state(lake, people, database=(account, database.lower()) if database else None)


def _only(state: LakeState, arn: str, principals: Mapping[str, Any]) -> LakeState:
    from dataclasses import replace

    return replace(state, principals={arn: principals[arn]})


def _row(cell: Cell) -> dict[str, Any]:
    return {
        "principal": cell.principal,
        "table": str(cell.table),
        "column": cell.column,
        "outcome": cell.outcome.value,
        "rows": cell.rows,
        "masks": list(cell.masks),
        "grants": list(cell.grants),
    }


def _tags(every: Iterable[Cell]) -> TagsOf:
    return {(cell.table, cell.column): cell.tags for cell in every}


def _tags_of(state: LakeState) -> TagsOf:
    return dict(_each_column(state))


def _each_column(state: LakeState) -> Iterator[tuple[tuple[TableName, str], Mapping[str, str]]]:
    for name, table in state.tables.items():
        for column in table.columns:
            yield (name, column.name), table.tags.of_column(column.name)
