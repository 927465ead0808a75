"""What names give away: guards that close columns by name, and whether names can be found at all.

A guard may only close, so setting one needs no more than the account's administrator. Lifting one
opens what it alone kept closed; whoever lifts it is told which columns those are, before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lakeveil.core.access.grants import TableName
from lakeveil.core.access.guards import NameGuard, resembles
from lakeveil.core.access.tags import WITHHELD, fold
from lakeveil.errors import Conflict, NotFound, Refused, UsageError
from lakeveil.flows.change_access import AccessDesk, Call, Change, changing
from lakeveil.ports.lake import LakeReader

MAX_GUARDS = 100
MAX_PATTERN = 128


def guard_names(pattern: str, key: str, *, account: str, call: Call, desk: AccessDesk) -> NameGuard:
    """Let columns of such names inherit no value of a key, in every table of an account.

    Raises:
        UsageError: the pattern names every column or none, or there are too many guards.
        NotFound: there is no tag of that key.
        Conflict: there is that guard already.
        Refused: the caller does not administer the account.
    """
    guard = NameGuard(pattern, fold(key))
    if len(pattern) > MAX_PATTERN or not any(sign.isalnum() for sign in pattern):
        raise UsageError(
            f"`{pattern[:MAX_PATTERN]}` is no pattern for names",
            why=f"it has 1 to {MAX_PATTERN} characters, letters or digits among them",
            fix="write it as ip_addr*",
            code="bad_pattern",
        )
    with changing(call, desk, f"guard {pattern}", asked={"key": guard.key}) as change:
        _check_administers(account, change)
        policy = change.lake.policy()
        if (account, guard.key) not in policy.tags:
            raise NotFound(f"there is no tag `{guard.key}`", fix="aws lakeformation list-lf-tags")
        settings = policy.settings_of(account)
        if guard in settings.guards:
            raise Conflict(f"`{pattern}` is guarded by `{guard.key}` already")
        if len(settings.guards) >= MAX_GUARDS:
            raise UsageError(f"there are {MAX_GUARDS} guards already", fix="lift one that is idle")
        change.lake.put_settings(account, replace(settings, guards=settings.guards | {guard}))
    return guard


def lift_guard(pattern: str, key: str, *, account: str, call: Call, desk: AccessDesk) -> None:
    """Let columns of such names inherit again.

    Raises:
        NotFound: there is no such guard.
        Refused: the caller does not administer the account.
    """
    guard = NameGuard(pattern, fold(key))
    with changing(call, desk, f"guard {pattern}", asked={"key": guard.key}) as change:
        _check_administers(account, change)
        settings = change.lake.policy().settings_of(account)
        if guard not in settings.guards:
            raise NotFound(
                f"`{pattern}` is not guarded by `{guard.key}`", fix="lakeveil access guard ls"
            )
        change.lake.put_settings(account, replace(settings, guards=settings.guards - {guard}))


def withheld_by(guard: NameGuard, *, account: str, lake: LakeReader) -> Iterator[tuple[str, str]]:
    """The columns that a guard keeps closed now: table as `database.table`, and column."""
    others = lake.policy().settings_of(account).guards - {guard}
    for record in lake.tables(account):
        for column in record.table.columns:
            name = column.name
            tags = record.table.tags.columns.get(name, {})
            twice = any(o.key == guard.key and resembles(name, o.pattern) for o in others)
            if resembles(name, guard.pattern) and not twice and tags.get(guard.key) == WITHHELD:
                yield str(record.table.name), name


def set_discoverable(
    account: str, database: str, table: str, *, on: bool, call: Call, desk: AccessDesk
) -> None:
    """Let signed-in users find that a database (`table` empty) or table is there, or not.

    Raises:
        NotFound: it does not exist.
        Refused: the caller neither administers the account nor owns it.
    """
    name = f"{database}.{table}" if table else database
    with changing(call, desk, name, asked={"discoverable": on}) as change:
        owner = _owner(account, database, table, change)
        if not (change.authority.administers(account) or owner in call.who.identities):
            raise _not_administrator(account)
        change.lake.set_discoverable(account, database, table, on=on)


def _owner(account: str, database: str, table: str, change: Change) -> str:
    if table:
        record = change.lake.table(TableName(account, database, table))
        known = record is not None and change.authority.knows_table(record.table)
        owner = record.table.owner if record is not None and known else None
    else:
        found = change.lake.database(account, database)
        known = found is not None and change.authority.knows_database(found.database)
        owner = found.database.owner if found is not None and known else None
    if owner is None:
        raise NotFound(f"`{database}{'.' if table else ''}{table}` does not exist")
    return owner


def _check_administers(account: str, change: Change) -> None:
    if not change.authority.administers(account):
        raise _not_administrator(account)


def _not_administrator(account: str) -> Refused:
    return Refused(
        f"only an administrator of account {account} may do that",
        why="it changes what others find or see",
        fix="ask one; `aws lakeformation get-data-lake-settings` names them",
    )
