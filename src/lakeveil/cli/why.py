"""`lakeveil why`: what somebody sees, why, and the smallest change that would show more."""

from __future__ import annotations

import click

from lakeveil.cli.access_session import (
    account_of,
    account_option,
    as_option,
    asker_of,
    opened,
    principal_of,
    table_and_columns,
)
from lakeveil.cli.session import Session, json_option
from lakeveil.core.access.changing.change_space import ChangeKind
from lakeveil.core.access.changing.change_text import place_of
from lakeveil.core.access.grants import OnDatabase
from lakeveil.flows.explain_access import WhyDatabase


@click.command()
@click.argument("principal")
@click.argument("what", metavar="DATABASE[.TABLE[.COLUMN]]")
@click.option("--group", "groups", multiple=True, metavar="ARN", help="Also in this group.")
@click.option(
    "--without", multiple=True, type=click.Choice([kind.value for kind in ChangeKind]),
    help="Suggest no such change.",
)  # fmt: skip
@click.option("--commands", "with_commands", is_flag=True, help="With the commands to run.")
@click.option("--all", "every", is_flag=True, help="Every failing grant and every change.")
@account_option
@as_option
@json_option
@click.pass_obj
def command(
    session: Session,
    *,
    principal: str,
    what: str,
    groups: tuple[str, ...],
    without: tuple[str, ...],
    account: str,
    asker: str,
    with_commands: bool,
    every: bool,
) -> None:
    """Explain what somebody sees of a database, table or column.

    PRINCIPAL is a user's or role's name, or an ARN. For a column the answer ends with the smallest
    changes that would show it, least exposure first. Which groups of an issuer somebody is in only
    their token says: name them with --group.

    \b
    Examples:
      lakeveil why ana ads.events.email
      lakeveil why ana ads --json
    """
    from lakeveil.cli import why_text
    from lakeveil.flows.explain_access import why, why_database

    with opened(session) as desk:
        account = account_of(desk, account)
        about = principal_of(desk, principal, account).arn
        who = asker_of(desk, asker, account)
        place = place_of(what, account=account)
        if isinstance(place, OnDatabase):
            _emit_database(
                session,
                why_database(
                    who, about, account, place.database,
                    lake=desk.lake, people=desk.people, clock=desk.clock, groups=groups,
                    kept=desk.kept,
                ),
            )  # fmt: skip
            return
        name, columns = table_and_columns(what, account)
        answer = why(
            who,
            about,
            name,
            columns[0] if columns else None,
            lake=desk.lake,
            people=desk.people,
            clock=desk.clock,
            groups=groups,
            kinds=frozenset(ChangeKind) - {ChangeKind(kind) for kind in without},
            kept=desk.kept,
        )
    if session.as_json:
        session.emit(why_text.document(answer))
    elif columns:
        print(why_text.column_text(answer, every=every, with_commands=with_commands))
    else:
        print(why_text.table_text(answer))


def _emit_database(session: Session, answer: WhyDatabase) -> None:
    from lakeveil.core.access.changing.change_words import spoken

    rows = [
        {
            "table": str(one.table),
            "visible": one.visible,
            "masked": one.masked,
            "hidden": one.hidden,
        }
        for one in answer.tables
    ]
    if session.as_json:
        session.emit(
            {
                "principal": answer.principal.arn,
                "database": answer.database,
                "permissions": sorted(answer.permissions),
                "tables": rows,
            }
        )
        return
    held = ", ".join(sorted(answer.permissions)) or "no permission"
    session.say(f"{spoken(answer.principal.arn)} has {held} on database {answer.database} itself")
    session.emit_rows(rows, ["table", "visible", "masked", "hidden"], empty="no tables")
