"""`lakeveil access guard` and `discoverable`: what names may give away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lakeveil.cli.access_session import account_of, account_option, opened
from lakeveil.cli.identity_session import local_user, yes_option
from lakeveil.cli.session import Session, json_option
from lakeveil.core.access.changing.change_text import place_of
from lakeveil.core.access.grants import OnDatabase, OnTable
from lakeveil.core.access.guards import NameGuard
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import UsageError

if TYPE_CHECKING:
    from lakeveil.flows.change_access import AccessDesk, Call


@click.group()
def guard() -> None:
    """Columns of certain names must be tagged themselves before anybody sees them by tag.

    \b
    Examples:
      lakeveil access guard add 'ip_addr*' --key class
      lakeveil access guard ls
    """


@guard.command(name="add")
@click.argument("pattern")
@click.option("--key", required=True, help="The tag that such columns must not inherit.")
@account_option
@json_option
@click.pass_obj
def add(session: Session, *, pattern: str, key: str, account: str) -> None:
    """Close columns whose names resemble PATTERN until they carry the tag themselves.

    Case and separators do not count: `ip_addr*` is `IPAddress`, too. A guard never opens.
    """
    from lakeveil.flows.change_discovery import guard_names, withheld_by

    with _desk(session, account, "GuardNames") as (where, call, desk):
        made = guard_names(pattern, key, account=where, call=call, desk=desk)
        closed = [f"{t}.{c}" for t, c in withheld_by(made, account=where, lake=desk.lake)]
    session.emit({"pattern": made.pattern, "key": made.key, "closes": closed})


@guard.command(name="ls")
@account_option
@json_option
@click.pass_obj
def list_guards(session: Session, *, account: str) -> None:
    """List the guards, with how many columns each keeps closed now."""
    from lakeveil.flows.change_discovery import withheld_by

    with _desk(session, account, "ListGuards") as (where, _, desk):
        rows = [
            {
                "pattern": one.pattern,
                "key": one.key,
                "closed": sum(1 for _ in withheld_by(one, account=where, lake=desk.lake)),
            }
            for one in sorted(desk.lake.policy().settings_of(where).guards)
        ]
    session.emit_rows(rows, ["pattern", "key", "closed"], empty="no name is guarded")


@guard.command(name="rm")
@click.argument("pattern")
@click.option("--key", required=True, help="The tag that such columns had not to inherit.")
@account_option
@yes_option
@json_option
@click.pass_obj
def remove(session: Session, *, pattern: str, key: str, account: str, yes: bool) -> None:
    """Lift a guard. The columns that it alone kept closed inherit again."""
    from lakeveil.flows.change_discovery import lift_guard, withheld_by

    with _desk(session, account, "LiftGuard") as (where, call, desk):
        opens = [
            f"{t}.{c}"
            for t, c in withheld_by(NameGuard(pattern, key.lower()), account=where, lake=desk.lake)
        ]
        if opens:
            session.say(f"these columns inherit `{key}` again: {', '.join(opens)}")
        session.confirm(f"Lift the guard of `{pattern}`?", yes=yes)
        lift_guard(pattern, key, account=where, call=call, desk=desk)
    session.emit({"pattern": pattern, "key": key, "opens": opens})


@click.command()
@click.argument("what", metavar="DATABASE[.TABLE]")
@click.argument("switch", type=click.Choice(["on", "off"]))
@account_option
@json_option
@click.pass_obj
def discoverable(session: Session, *, what: str, switch: str, account: str) -> None:
    """Let signed-in users find that a database or table is there, and ask for it; or not.

    Found are names, descriptions, owners and tags, never values. Switch it off for what must not
    even be known of; the answer is then always "not found".
    """
    from lakeveil.flows.change_discovery import set_discoverable

    with _desk(session, account, "SetDiscoverable") as (where, call, desk):
        place = place_of(what, account=where)
        if not isinstance(place, OnDatabase | OnTable):
            raise UsageError(f"`{what}` is no database or table", fix="leave the column out")
        table = place.table or "" if isinstance(place, OnTable) else ""
        set_discoverable(where, place.database, table, on=switch == "on", call=call, desk=desk)
    session.emit({"what": what, "discoverable": switch == "on"})


@contextmanager
def _desk(session: Session, account: str, action: str) -> Iterator[tuple[str, Call, AccessDesk]]:
    from lakeveil.flows.change_access import Call
    from lakeveil.wiring.grants import open_access_desk

    with opened(session) as people:
        where = account_of(people, account)
    with open_access_desk(session.settings, writer="cli") as desk:
        # Whoever types here could write the state itself, so they act as administrators do.
        who = Principal(
            arn=local_user(),
            account=where,
            identities=desk.lake.policy().settings_of(where).administrators,
        )
        yield where, Call(who=who, action=f"lakeveil:{action}"), desk
