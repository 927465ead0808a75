"""`lakeveil access find`: what data there is, and whether somebody may read it."""

from __future__ import annotations

from typing import Any

import click

from lakeveil.cli.access_session import account_of, account_option, as_option, asker_of, opened
from lakeveil.cli.session import Session, json_option

COLUMNS = ["name", "access", "owner", "tags", "description"]


@click.command()
@click.argument("text", nargs=-1)
@account_option
@as_option
@json_option
@click.pass_obj
def find(session: Session, text: tuple[str, ...], account: str, asker: str) -> None:
    """Find databases and tables by words in their names, descriptions and own tags.

    Without TEXT, all of them. For somebody (--as), those that they may know of or discover, and
    whether they may read the data: readable, partly, masked, no access.

    \b
    Examples:
      lakeveil access find events --as ana
      lakeveil access find owner=partner
    """
    from lakeveil.flows.discover import discover

    with opened(session) as desk:
        where = account_of(desk, account)
        who = asker_of(desk, asker, where)
        rows: list[dict[str, Any]] = [
            {
                "name": f"{one.database}.{one.table}" if one.table else one.database,
                "access": one.access.value if one.access else None,
                "owner": one.owner or None,
                "tags": " ".join(f"{key}={value}" for key, value in sorted(one.tags.items())),
                "description": one.description or None,
            }
            for one in discover(
                who, " ".join(text), lake=desk.lake, clock=desk.clock, account=where
            )
        ]
    session.emit_rows(rows, COLUMNS, empty="nothing is found")
