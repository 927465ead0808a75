"""What the identity commands share: the open store, the account they act in, changes on record."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import click

from lakeveil.cli.session import F, Session
from lakeveil.errors import SetupError, UsageError

if TYPE_CHECKING:
    from lakeveil.adapters.identity import IdentityStore
    from lakeveil.adapters.identity.directory import Directory
    from lakeveil.core.audit import Json
    from lakeveil.core.identity.departure import Departure
    from lakeveil.flows.change_identity import Change
    from lakeveil.wiring.identity import OpenIdentity


def account_option(function: F) -> F:
    """`--account`, which may be left out where there is one account only."""
    return click.option(
        "--account", default="", metavar="ID", help="12 digits; not needed with one account only."
    )(function)


def yes_option(function: F) -> F:
    """`--yes`."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(function)


@contextmanager
def opened(session: Session) -> Iterator[OpenIdentity]:
    """The identity store of this installation."""
    from lakeveil.wiring.identity import open_identity

    with open_identity(session.settings, writer="cli") as identity:
        yield identity


def account_of(identity: OpenIdentity, given: str) -> str:
    """The account that is meant.

    Raises:
        UsageError: none was named, and there are several.
        NotFound: there is none of that id.
        SetupError: there is no account yet.
    """
    if given:
        return identity.store.directory.account(given).id
    accounts = identity.store.directory.accounts()
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
            fix=f"--account {accounts[0].id}",
        )
    return accounts[0].id


@contextmanager
def change(
    identity: OpenIdentity, action: str, resource: str, *, account: str, after: Json = None
) -> Iterator[Change]:
    """A change, made inside and on record."""
    from lakeveil.flows.change_identity import change_identity

    with change_identity(
        by=local_user(),
        action=action,
        resource=resource,
        account=account,
        after=after,
        audit=identity.audit,
    ) as made:
        yield made


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a command is about, in the open store: a user, group, role, issuer or account."""

    session: Session
    identity: OpenIdentity
    account: str
    arn: str

    @property
    def store(self) -> IdentityStore:
        """Everybody's."""
        return self.identity.store

    @property
    def directory(self) -> Directory:
        """Accounts, users, groups and roles."""
        return self.identity.store.directory

    def changing(self, action: str, after: Json = None) -> AbstractContextManager[Change]:
        """A change of it, made inside and on record."""
        return change(self.identity, action, self.arn, account=self.account, after=after)

    def delete(
        self,
        action: str,
        take_away: Callable[[], Departure],
        *,
        question: str,
        yes: bool,
        said: str = "deleted",
    ) -> None:
        """Ask, telling what goes along; take it away, on record; print what went along.

        Raises:
            click.Abort, click.UsageError: see `Session.confirm`.
        """
        also = self.directory.standing_on(self.arn).sentence()
        self.session.confirm(f"{question}{also}", yes=yes)
        with self.changing(action) as made:
            gone = take_away()
            made.became["took_along"] = gone.as_record()
        self.session.emit({said: self.arn, "took_along": gone.counts()})


@contextmanager
def about(
    session: Session, account: str, arn_of: Callable[[str, str], str], name: str
) -> Iterator[Subject]:
    """Somebody of an account, who need not be there, by the function that makes their ARN.

    Raises:
        UsageError, NotFound, SetupError: see `account_of`.
    """
    with opened(session) as identity:
        number = account_of(identity, account)
        yield Subject(session=session, identity=identity, account=number, arn=arn_of(number, name))


def local_user() -> str:
    """Whose process this is. Not from the environment, where anybody may call himself anything."""
    uid = os.geteuid()
    try:
        return f"local:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"local:{uid}"


def document(file: IO[str] | None) -> str:
    """A policy document out of a file; empty where none was given."""
    return "" if file is None else file.read().strip()


def when(seconds: float | None) -> str | None:
    """A time as people and programs read it."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def named(entity: Any) -> dict[str, Any]:
    """What lists show of a user, group or role."""
    return {
        "name": entity.name,
        "arn": entity.arn,
        "id": entity.id,
        "created_at": when(entity.created_at),
    }
