"""What the access commands share: the open desk, principals and places as people type them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lakeveil.cli.identity_session import local_user
from lakeveil.cli.session import F, Session
from lakeveil.core.access.changing.change_text import place_of
from lakeveil.core.access.explaining.askers import Asker, Operator
from lakeveil.core.access.grants import OnColumns, OnDatabase, TableName
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound, SetupError, UsageError

if TYPE_CHECKING:
    from lakeveil.flows.request_desk import RequestDesk


def account_option(function: F) -> F:
    """`--account`, whose catalog names are in."""
    return click.option(
        "--account", default="", metavar="ID", help="Whose catalog; not needed with one account."
    )(function)


def as_option(function: F) -> F:
    """`--as`: for whom the operator types."""
    return click.option(
        "--as", "asker", default="", metavar="PRINCIPAL",
        help="Act for somebody, with their rights; default: as operator.",
    )(function)  # fmt: skip


@contextmanager
def opened(session: Session) -> Iterator[RequestDesk]:
    """The desk of this installation."""
    from lakeveil.wiring.access import open_access

    with open_access(session.settings, writer="cli", operator=local_user()) as desk:
        yield desk


def account_of(desk: RequestDesk, given: str) -> str:
    """The account that is meant.

    Raises:
        UsageError: none was named, and there are several, or there is none of that id.
        SetupError: there is no account yet.
    """
    accounts = list(desk.people.accounts())
    if given:
        if given not in accounts:
            raise UsageError(f"there is no account `{given}`", fix="lakeveil identity account ls")
        return given
    if not accounts:
        raise SetupError(
            "there is no account yet",
            why="the first one is made when the stack first starts",
            fix="lakeveil up, or: lakeveil identity account create",
        )
    if len(accounts) > 1:
        raise UsageError(
            "say which account is meant",
            why=f"there are {len(accounts)}",
            fix=f"--account {accounts[0]}",
        )
    return accounts[0]


def principal_of(desk: RequestDesk, text: str, account: str) -> Principal:
    """Somebody by identifier, or by the name of a user or role of an account.

    Raises:
        NotFound: nobody is called so.
    """
    candidates = [text, arns.user_arn(account, text), arns.role_arn(account, text)]
    for identifier in candidates:
        who = desk.people.principal(identifier)
        if who is not None:
            return who
    raise NotFound(
        f"there is no principal `{text}`",
        why="no user or role is called so, and it is no identifier of somebody else's",
        fix="lakeveil identity user ls",
    )


def asker_of(desk: RequestDesk, text: str, account: str) -> Asker:
    """Who asks: somebody by name, or the operator."""
    return principal_of(desk, text, account) if text else Operator(arn=local_user())


def table_and_columns(text: str, account: str) -> tuple[TableName, list[str]]:
    """`database.table` or `database.table.column`.

    Raises:
        UsageError: it is neither.
    """
    place = place_of(text, account=account)
    if isinstance(place, OnDatabase) or place.table is None:
        raise UsageError(
            f"`{text}` is no table or column", fix="write it as database.table or with a column"
        )
    columns = sorted(place.named) if isinstance(place, OnColumns) else []
    return TableName(account, place.database, place.table), columns
