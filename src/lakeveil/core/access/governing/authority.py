"""Who may know of, tag and pass on what: a principal before the policy, at one moment.

The rules are Lake Formation's (developer guide, "Implicit Lake Formation permissions", "Lake
Formation permissions reference", "Cross-account data sharing"). A data lake administrator may grant
anything of its account to anybody, itself included; an owner everything of what it made; anybody
else what it holds with the grant option. Nobody learns of a thing by asking to change it: whoever
may not know of it is answered as if it were not there, and flows ask `knows_...` first.
"""

from __future__ import annotations

from dataclasses import dataclass

from lakeveil.core.access.deciding.contribution import Contribution
from lakeveil.core.access.deciding.database import catalog_permissions, database_permissions
from lakeveil.core.access.deciding.decide import identities_towards, is_administrator, passable
from lakeveil.core.access.governing.tag_rights import (
    TagRights,
    as_account,
    expression_rights,
    tag_rights,
)
from lakeveil.core.access.grants import DataCellsFilter, Grant, OnFilter, OnLocation
from lakeveil.core.access.indexing.deferred_decision import DeferredDecision
from lakeveil.core.access.indexing.index import index_of
from lakeveil.core.access.lake import Database, Policy, Table
from lakeveil.core.access.locations import is_under
from lakeveil.core.access.permissions import ON_DATABASE, ON_TABLE, Permission, Permissions
from lakeveil.core.access.rows import NONE
from lakeveil.core.identity.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A principal, the policy, and a time (UTC seconds): what it may change and know of."""

    who: Principal
    policy: Policy
    now: float

    def administers(self, account: str) -> bool:
        """Whether it is a data lake administrator of this account."""
        return self.who.account == account and is_administrator(self.who, self.policy)

    def views(self, account: str) -> bool:
        """Whether it may see everything of this account: administrators, read-only ones too."""
        settings = self.policy.settings_of(account)
        return self.who.account == account and bool(
            self.who.identities & (settings.administrators | settings.read_only_administrators)
        )

    def may_appoint(self, account: str) -> bool:
        """Whether it may change the account's settings, and so who administers it.

        In an account without an administrator that is anybody there whose own rights allow the
        call; somebody has to be first (developer guide, "Create a data lake administrator").
        """
        nobody = not self.policy.settings_of(account).administrators
        return self.administers(account) or (nobody and self.who.account == account)

    def for_its_account(self) -> Authority:
        """What its account as a whole was given; only its administrators act for it."""
        return Authority(
            who=as_account(self.who.account, self.policy), policy=self.policy, now=self.now
        )

    def tag(self, account: str, key: str) -> TagRights:
        """What it may do with a tag."""
        return tag_rights(self.who, account, key, self.policy, now=self.now)

    def expression(self, account: str, name: str) -> tuple[Permissions, Permissions]:
        """What it may do with a saved expression, and which of that it may pass on."""
        return expression_rights(self.who, account, name, self.policy, now=self.now)

    def catalog(self, account: str) -> tuple[Permissions, Permissions]:
        """What it may do with a catalog, and which of that it may pass on."""
        return catalog_permissions(self.who, account, self.policy, now=self.now)

    def database(self, database: Database) -> tuple[Permissions, Permissions]:
        """What it may do with a database, and which of that it may pass on."""
        return database_permissions(self.who, database, self.policy, now=self.now)

    def knows_database(self, database: Database) -> bool:
        """Whether it may know that a database is there."""
        return Permission.DESCRIBE in self.database(database)[0]

    def decision(self, table: Table) -> DeferredDecision:
        """What it may see of a table."""
        return index_of(self.policy).remembered(self.who, table, now=self.now)

    def knows_table(self, table: Table) -> bool:
        """Whether it may know that a table is there."""
        return self.decision(table).exists

    def known_columns(self, table: Table) -> tuple[str, ...]:
        """The columns of a table it may know of; administrators know all, though not the values."""
        if self.views(table.name.account) or self._owns(table):
            return tuple(column.name for column in table.columns)
        shown = self.decision(table).shown_names()
        return tuple(column.name for column in table.columns if column.name in shown)

    def may_tag_database(self, database: Database) -> bool:
        """Whether it may assign tags to a database, given that it may assign the tag.

        That is its creator, an administrator, or who may pass on everything on it (developer
        guide, "Assigning LF-Tags to Data Catalog resources").
        """
        if self.administers(database.account):
            return True
        return self.database(database)[1] >= ON_DATABASE

    def may_tag_table(self, table: Table) -> bool:
        """Whether it may assign tags to a table and its columns, given that it may assign them."""
        if self.administers(table.name.account):
            return True
        return self.passable_on_table(table) >= ON_TABLE

    def passable_on_table(self, table: Table) -> Permissions:
        """What it may pass on of a table as a whole; SELECT only with every cell of it."""
        part = passable(self.who, table, self.policy, now=self.now)
        whole = all(shows_all(part, column.name) for column in table.columns)
        return part.permissions if whole and table.columns else part.permissions - _SELECT

    def selects_to_pass_on(self, table: Table, columns: frozenset[str]) -> bool:
        """Whether it may pass on SELECT on these columns: each of them unmasked, in every row."""
        part = passable(self.who, table, self.policy, now=self.now)
        return bool(columns) and all(shows_all(part, column) for column in columns)

    def may_change_filters(self, table: Table) -> bool:
        """Whether it may define data cells filters: SELECT on all of the table to pass on."""
        if self.administers(table.name.account):
            return True
        return Permission.SELECT in self.passable_on_table(table)

    def filter(self, found: DataCellsFilter) -> Permissions:
        """What it was granted on a filter itself; to read through it is not to know its text."""
        name = found.table
        on = OnFilter(name.account, name.database, name.table, found.name)
        held: set[Permission] = set()
        for grant in self.grants():
            if grant.resource == on and grant.account == name.account:
                held |= grant.permissions - _SELECT
        return frozenset(held | {Permission.DESCRIBE}) if held else frozenset()

    def location(self, account: str, location: str) -> tuple[bool, bool]:
        """Whether it may keep data at a registered location, and whether it may pass that on."""
        if self.administers(account):
            return True, True
        held = passes = False
        for grant in self.grants():
            on = grant.resource
            if not isinstance(on, OnLocation) or (on.account, grant.account) != (account, account):
                continue
            if is_under(location, on.location):
                held = True
                passes = passes or Permission.DATA_LOCATION_ACCESS in grant.grantable
        return held, passes

    def grants(self) -> list[Grant]:
        """The live grants that name it, unmasked ones, wherever they were recorded."""
        identities = self.who.identities | identities_towards(self.who, "", self.policy)
        return [g for g in self.policy.grants_to(identities) if g.live(self.now) and not g.mask]

    def _owns(self, table: Table) -> bool:
        return bool(table.owner) and table.owner in self.who.identities


_SELECT = frozenset({Permission.SELECT})


def shows_all(part: Contribution, column: str) -> bool:
    """Whether a contribution shows a column unmasked in every row."""
    return part.cells.get(column, {}).get(None, NONE).every
