"""`lakeveil config`: each setting, its value, and where it came from."""

from __future__ import annotations

import click

from lakeveil.cli.session import Session, json_option
from lakeveil.settings import setting_rows


@click.group()
def command() -> None:
    """Show each setting and where it came from."""


@command.command()
@click.argument("prefix", default="")
@json_option
@click.pass_obj
def show(session: Session, prefix: str) -> None:
    """Print each value and its origin: default, the file, or an environment variable.

    PREFIX limits it to a group, such as `worker` or `collections`.
    """
    rows = setting_rows(session.settings, session.origins)
    session.emit_rows(
        (row for row in rows if row["name"].startswith(prefix)),
        ["name", "value", "origin"],
        empty=f"no setting begins with `{prefix}`",
    )
