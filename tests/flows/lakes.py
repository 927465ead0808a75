"""A small lake of two accounts, on a real database, with everybody who is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from lakeveil.adapters.audit_log import open_audit_log
from lakeveil.adapters.audit_trail import AuditTrail
from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.identity.directory import Directory
from lakeveil.adapters.lake import open_lake
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import Decision
from lakeveil.core.access.grants import Grant, OnColumns, OnDatabase, OnTable, Resource, TableName
from lakeveil.core.access.lake import Column, Database, LakeSettings, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Account
from lakeveil.core.identity.principal import Principal
from lakeveil.core.identity.rights import Effect, Rights, Statement
from lakeveil.flows.asked_grants import Asked
from lakeveil.flows.change_access import AccessDesk, Call
from lakeveil.flows.change_grants import grant, revoke
from lakeveil.ports.lake import DatabaseRecord, Location, TableRecord

HOME, OTHER, THIRD = "123456789012", "210987654321", "345678901234"
EVENTS, CLICKS = TableName(HOME, "ads", "events"), TableName(HOME, "ads", "clicks")
DATABASE = OnDatabase(HOME, "ads")
COLUMNS = ("id", "ts", "ip_address", "spend")
ORGANISATION = f"arn:aws:organizations::{THIRD}:organization/o-a1b2c3d4e5"
ANALYSTS = arns.group_arn(HOME, "analysts")
EVERYTHING = Rights(statements=(Statement(effect=Effect.ALLOW, actions=("*",), resources=("*",)),))

P = Permission


def person(name: str, account: str = HOME, *groups: str) -> Principal:
    """A user, with all rights to call."""
    arn = arns.user_arn(account, name)
    return Principal(
        arn=arn,
        account=account,
        identities=frozenset({arn, arns.iam_principals(account), *groups}),
        user_id=f"AIDA{name.upper()}",
        rights=EVERYTHING,
    )


ADMIN, READER, OWNER = person("admin"), person("reader"), person("dave")
ANA, BOB = person("ana", HOME, ANALYSTS), person("bob")
THEIR_ADMIN, CARL = person("boss", OTHER), person("carl", OTHER)
EVERYBODY = (ADMIN, READER, OWNER, ANA, BOB, THEIR_ADMIN, CARL)


class People:
    """Everybody above, their groups and their accounts."""

    def knows(self, identifier: str) -> bool:
        """See `Directory`."""
        known = {ANALYSTS, HOME, OTHER, ORGANISATION}
        return identifier in known.union(*(one.identities for one in EVERYBODY))

    def identities_of(self, identifier: str) -> frozenset[str]:
        """See `Directory`."""
        found = [one.identities for one in EVERYBODY if one.arn == identifier]
        return found[0] if found else frozenset({identifier})


@dataclass(frozen=True, kw_only=True)
class World:
    """The lake, and short ways to ask it."""

    desk: AccessDesk
    trail: AuditTrail
    clock: ManualClock
    engine: sa.Engine

    def call(self, who: Principal, action: str = "lakeformation:Test") -> Call:
        """A call of somebody's."""
        return Call(who=who, action=action)

    def grant(
        self,
        by: Principal,
        to: str,
        resource: Resource,
        *permissions: Permission,
        option: tuple[Permission, ...] = (),
    ) -> tuple[Grant, ...]:
        """Grant something."""
        asked = Asked(
            principal=to,
            resource=resource,
            permissions=frozenset(permissions),
            grantable=frozenset(option),
        )
        return grant(asked, call=self.call(by), desk=self.desk)

    def revoke(
        self,
        by: Principal,
        of: str,
        resource: Resource,
        *permissions: Permission,
        option: tuple[Permission, ...] = (),
    ) -> None:
        """Revoke something."""
        asked = Asked(
            principal=of,
            resource=resource,
            permissions=frozenset(permissions),
            grantable=frozenset(option),
        )
        revoke(asked, call=self.call(by), desk=self.desk)

    def grants_to(self, identifier: str) -> list[Grant]:
        """What somebody was granted."""
        return self.desk.lake.policy().grants_to({identifier})

    def decision(self, who: Principal, name: TableName = EVENTS) -> Decision:
        """What somebody sees of a table now."""
        record = self.desk.lake.table(name)
        assert record is not None
        return decide(who, record.table, self.desk.lake.policy(), now=self.clock.now())

    def sees(self, who: Principal, name: TableName = EVENTS) -> list[str]:
        """The columns that somebody sees, in full or masked."""
        return [column.name for column in self.decision(who, name).shown()]


def found(home: Path) -> None:
    """Lay down tables `events` and `clicks` of `ads` in one account, another one beside it."""
    engine = open_database(f"sqlite:///{home / 'state.db'}")
    directory = Directory(engine, ManualClock())
    directory.create_account(Account(id=HOME, name="home"))
    # Which organisation an account is in, it does not choose itself.
    directory.create_account(Account(id=OTHER, name="other", organisation=ORGANISATION))
    with open_lake(engine).changing() as change:
        for account, settings in {
            HOME: LakeSettings(
                administrators=frozenset({ADMIN.arn}),
                read_only_administrators=frozenset({READER.arn}),
            ),
            OTHER: LakeSettings(
                administrators=frozenset({THEIR_ADMIN.arn}),
            ),
        }.items():
            change.put_settings(account, settings)
        change.put_location(Location(account=HOME, location="s3://lake/ads"))
        change.put_database(
            DatabaseRecord(database=Database(account=HOME, name="ads", owner=OWNER.arn))
        )
        for name in (EVENTS, CLICKS):
            change.put_table(table_record(name))
    open_audit_log(engine, home)
    engine.dispose()


@contextmanager
def world(home: Path) -> Iterator[World]:
    """Open what `found` laid down."""
    engine = open_database(f"sqlite:///{home / 'state.db'}")
    engine.dispose()
    # No test pulls the plug, and waiting for the disk is most of what these would do.
    sa.event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
    clock = ManualClock()
    audit = open_audit_log(engine, home, clock=clock)
    try:
        yield World(
            desk=AccessDesk(lake=open_lake(engine), audit=audit, directory=People(), clock=clock),
            trail=AuditTrail(engine, audit.keys),
            clock=clock,
            engine=engine,
        )
    finally:
        engine.dispose()


def table_record(name: TableName, columns: tuple[str, ...] = COLUMNS) -> TableRecord:
    """A table under the registered location; `spend` is a number."""
    kinds = {"spend": "bigint"}
    return TableRecord(
        table=Table(
            name=name,
            columns=tuple(Column(column, kinds.get(column, "string")) for column in columns),
            owner=OWNER.arn,
        ),
        location=f"s3://lake/ads/{name.table}",
    )


def on_table(name: TableName = EVENTS) -> OnTable:
    """A table as a resource."""
    return OnTable(name.account, name.database, name.table)


def columns(*names: str, excluding: bool = False) -> OnColumns:
    """Columns of `events` as a resource: these, or all but these."""
    return OnColumns(HOME, "ads", "events", frozenset(names), excluding=excluding)
