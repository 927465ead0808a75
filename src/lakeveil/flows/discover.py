"""Finding data: what there is for somebody, whose it is, and whether they may read it.

Listed is what somebody may know of, and what may be discovered: to signed-in people of the account,
while table and database are both `discoverable` and the table is governed. The rest is not in the
list, as what does not exist is not. Nothing is looked up by a name that somebody asks for: each
search goes through all of the catalog and decides about every table, so that how long it takes says
nothing of the name. Names, descriptions, owners and tags are told, columns and values never. Of
what is known and not discoverable, description and tags are told as the catalog tells them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from lakeveil.core.access.deciding.data_access import decide_data
from lakeveil.core.access.deciding.decision import Decision, Outcome
from lakeveil.core.access.explaining.askers import Asker, Operator
from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.guards import shown
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.tables.shown_document import shown_document
from lakeveil.core.access.tags import Tags
from lakeveil.core.identity.principal import Principal
from lakeveil.flows.catalog_desk import seen
from lakeveil.flows.look_at_tags import tags_of_database, tags_of_table
from lakeveil.flows.read_catalog import accounts_in_reach
from lakeveil.ports import Clock
from lakeveil.ports.lake import DatabaseRecord, Lake, LakeReader, TableRecord


class DataAccess(StrEnum):
    """Whether somebody may read data of a table; of a database, what its tables add up to."""

    READABLE = "readable"
    """Every cell."""
    PARTLY = "partly"
    """Some columns, or some rows."""
    MASKED = "masked"
    """Nothing but through masks."""
    NO_ACCESS = "no access"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A database (`table` empty) or a table, as somebody finds it.

    `access` is None for the operator, who is nobody that a grant could name.
    """

    account: str
    database: str
    table: str = ""
    description: str = ""
    owner: str = ""
    tags: Tags = field(default_factory=dict)
    access: DataAccess | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Where it stands in the list."""
        return self.account, self.database, self.table


def discover(
    asker: Asker,
    text: str = "",
    *,
    lake: Lake,
    clock: Clock,
    account: str = "",
) -> Iterator[Listing]:
    """The databases and tables that there are for somebody, by account, database and table.

    With `text`, those with each of its words in name, description or tags (`key=value`). Without
    `account`, of the asker's own account and of those that share with it; the operator, who is of
    none, names one. Nothing is raised for what is not there: it is not in the list.
    """
    words = text.lower().split()
    with lake.looking() as state:
        eyes = _Eyes(asker, state.policy(), clock.now())
        for one in [account] if account else eyes.accounts():
            for record in state.databases(one):
                for listing in _within(state, eyes, record):
                    if _has(listing, words):
                        yield listing


def data_access(decision: Decision) -> DataAccess:
    """How much of a table a decision about its data lets somebody read."""
    outcomes = {column.outcome for column in decision.columns}
    if decision.full_read:
        return DataAccess.READABLE
    if Outcome.VISIBLE in outcomes:
        return DataAccess.PARTLY
    return DataAccess.MASKED if Outcome.MASKED in outcomes else DataAccess.NO_ACCESS


def summed_up(every: Sequence[DataAccess]) -> DataAccess:
    """What the tables of a database add up to.

    >>> summed_up([DataAccess.READABLE, DataAccess.NO_ACCESS]).value
    'partly'
    """
    found = set(every)
    if len(found) == 1:
        return found.pop()
    if found & {DataAccess.READABLE, DataAccess.PARTLY}:
        return DataAccess.PARTLY
    return DataAccess.MASKED if found else DataAccess.NO_ACCESS


def _within(lake: LakeReader, eyes: _Eyes, record: DatabaseRecord) -> list[Listing]:
    """A database and its tables, as far as there are any for somebody."""
    name = record.database
    every = [eyes.table(record, one) for one in lake.tables(name.account, name.name)]
    tables = [listing for listing in every if listing is not None]
    itself = eyes.database(record, [one.access for one in tables if one.access is not None])
    return [itself, *tables] if itself else tables


def _has(listing: Listing, words: Sequence[str]) -> bool:
    tags = (f"{key}={value}" for key, value in listing.tags.items())
    said = "\n".join([listing.database, listing.table, listing.description, *tags]).lower()
    return all(word in said for word in words)


class _Eyes:
    """What one asker sees of a lake at one moment."""

    def __init__(self, asker: Asker, policy: Policy, now: float) -> None:
        self._who = None if isinstance(asker, Operator) else asker
        self._policy = policy
        self._now = now

    def accounts(self) -> list[str]:
        """Whose data there could be."""
        return accounts_in_reach(self._authority(self._who)) if self._who else []

    def database(self, record: DatabaseRecord, tables: Sequence[DataAccess]) -> Listing | None:
        """A database; None where there is none for the asker. `tables` are those listed."""
        database = record.database
        told, tags = True, shown(database.effective_tags())
        if self._who is not None:
            authority = self._authority(self._who)
            known = authority.knows_database(database)
            told = record.discoverable and self._who.account == database.account
            if not (known or told):
                return None
            if not told:
                tags = tags_of_database(authority, database, assigned=False).database
        return Listing(
            account=database.account,
            database=database.name,
            description=str(record.document.get("Description", "")),
            owner=database.owner,
            tags=tags,
            access=None if self._who is None else summed_up(tables),
        )

    def table(self, database: DatabaseRecord, record: TableRecord) -> Listing | None:
        """A table; None where there is none for the asker."""
        table, who = record.table, self._who
        if who is None:
            return _listing(record, _description(record), shown(table.tags.of_table()), None)
        access = data_access(decide_data(who, table, self._policy, now=self._now))
        if _may_be_discovered(
            who, table, discoverable=database.discoverable and record.discoverable
        ):
            return _listing(record, _description(record), shown(table.tags.of_table()), access)
        authority = self._authority(who)
        found = seen(authority, record)
        if found is None:
            return None
        told = shown_document(record.document, found.view).get("Description", "")
        tags = tags_of_table(authority, table, assigned=False, columns=()).table
        return _listing(record, str(told), tags, access)

    def _authority(self, who: Principal) -> Authority:
        return Authority(who=who, policy=self._policy, now=self._now)


def _may_be_discovered(who: Principal, table: Table, *, discoverable: bool) -> bool:
    return discoverable and table.governed and who.account == table.name.account


def _description(record: TableRecord) -> str:
    return str(record.document.get("Description", ""))


def _listing(
    record: TableRecord, description: str, tags: Tags, access: DataAccess | None
) -> Listing:
    name = record.table.name
    return Listing(
        account=name.account,
        database=name.database,
        table=name.table,
        description=description,
        owner=record.table.owner,
        tags=tags,
        access=access,
    )
