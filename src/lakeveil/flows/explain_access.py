"""Why somebody sees something or does not, as far as whoever asks may learn it.

Everybody may ask about themselves; about others only who views everything of the account, and the
operator. For the others rule 8 of the lake holds: what you may not see does not exist. A table that
the asker can neither describe nor discover gets the very answer of one that is not there, and on
the same path: one look into the catalog, one decision. Nobody else's access, no text of a row
filter and no smallest change is told to them, and of tags what they may know (`told`); they can ask
for access instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lakeveil.core.access.changing.change_space import EVERY_KIND, ChangeKind
from lakeveil.core.access.changing.changes import LakeState
from lakeveil.core.access.explaining.askers import Asker, Operator, views
from lakeveil.core.access.explaining.explain import Explanation, History, SetBy, explain
from lakeveil.core.access.explaining.fixes import Fix, smallest_changes
from lakeveil.core.access.explaining.summaries import TableSummary, summaries
from lakeveil.core.access.explaining.told import Telling
from lakeveil.core.access.explaining.weighing import Weighing
from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.permissions import Permissions
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound, Refused
from lakeveil.flows.whole_lake import everybody, whole_lake
from lakeveil.ports import Clock
from lakeveil.ports.access_requests import People
from lakeveil.ports.lake import LakeReader, TableRecord
from lakeveil.ports.whole_lake import WholeLakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The answer about a table's columns, in their order, or about one.

    `everything` says whether all of it is told. `fixes` are for one column, and `state` is as much
    as they were found in: this table, everybody and the policy; both only with `everything`.
    """

    principal: Principal
    record: TableRecord
    columns: tuple[Explanation, ...]
    everything: bool
    fixes: tuple[Fix, ...] = ()
    state: LakeState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyDatabase:
    """The answer about a database: permissions on itself, and its tables in short."""

    principal: Principal
    database: str
    permissions: Permissions
    tables: tuple[TableSummary, ...]


def why(
    asker: Asker,
    about: str,
    name: TableName,
    column: str | None = None,
    *,
    lake: LakeReader,
    people: People,
    clock: Clock,
    groups: Sequence[str] = (),
    kinds: frozenset[ChangeKind] = EVERY_KIND,
    kept: WholeLakes | None = None,
) -> Why:
    """Why the principal `about` (an identifier) sees a table's columns, or one, or does not.

    `groups` are identifiers that speak for it besides those of the directory: an issuer's groups.
    The whole lake is needed for what the smallest changes expose, and for nothing else.

    Raises:
        Refused: the asker may ask about itself only.
        NotFound: there is no such table, column or principal, or none for the asker.
    """
    policy, now = lake.policy(), clock.now()
    everything = views(asker, name.account, policy)
    check_asks(asker, about, everything=everything)
    found = found_table(asker, name, lake=lake, policy=policy, now=now)
    record = found.record
    who = asked_about(asker, about, people=people, groups=groups if everything else ())
    columns = [column] if column else found.columns
    if column and column not in found.columns:
        raise no_column(name, column)
    explanations = tuple(
        explain(who, record.table, one, policy, now=now, history=history_of(lake, name, one))
        for one in columns
    )
    if not everything:
        telling = _telling(who, found, policy, now)
        return Why(
            principal=who,
            record=record,
            columns=tuple(telling.of(one) for one in explanations),
            everything=False,
        )
    if column is None:
        return Why(principal=who, record=record, columns=explanations, everything=True)
    with whole_lake(lake, people, kept=kept) as whole:
        state = LakeState(
            tables={name: whole.index.table(name)},
            policy=whole.policy,
            principals=everybody(whole.policy, people) | {who.arn: who},
        )
        weighing = Weighing(whole, state.principals, now=now)
        fixes = smallest_changes(who, name, column, state, now=now, kinds=kinds, weigher=weighing)
    return Why(
        principal=who,
        record=record,
        columns=explanations,
        everything=True,
        fixes=fixes,
        state=state,
    )


def why_database(
    asker: Asker,
    about: str,
    account: str,
    database: str,
    *,
    lake: LakeReader,
    people: People,
    clock: Clock,
    groups: Sequence[str] = (),
    kept: WholeLakes | None = None,
) -> WhyDatabase:
    """What somebody may do with a database, and how much of its tables they see.

    Raises:
        Refused: the asker may ask about itself only.
        NotFound: there is no such database or principal, or none for the asker.
    """
    policy, now = lake.policy(), clock.now()
    everything = views(asker, account, policy)
    check_asks(asker, about, everything=everything)
    found = lake.database(account, database)
    who = asked_about(asker, about, people=people, groups=groups if everything else ())
    authority = Authority(who=who, policy=policy, now=now)
    discovers = found is not None and found.discoverable and who.account == account
    if found is None or not (everything or discovers or authority.knows_database(found.database)):
        raise NotFound(
            f"there is no database `{database}`",
            why="it does not exist, or not for you",
            fix="check the name, or ask its owner",
        )
    with whole_lake(lake, people, kept=kept, only=(account, database)) as whole:
        tables = summaries(
            who,
            account,
            database,
            whole,
            now=now,
            everything=everything,
            discovers=discovers,
        )
        return WhyDatabase(
            principal=who,
            database=database,
            permissions=authority.database(found.database)[0],
            tables=tuple(tables),
        )


def check_asks(asker: Asker, about: str, *, everything: bool) -> None:
    """Refuse a question about somebody else, before anything is looked up.

    Raises:
        Refused: the asker is neither that principal nor one who views everything.
    """
    if not everything and about != asker.arn:
        raise Refused(
            "you may ask about yourself only",
            why="what others see is theirs, and their administrator's, to know",
            fix="leave the principal out, or ask an administrator",
        )


def asked_about(
    asker: Asker, about: str, *, people: People, groups: Sequence[str] = ()
) -> Principal:
    """The principal that a question is about, with all that speaks for it.

    Raises:
        NotFound: nobody is called so.
    """
    if isinstance(asker, Principal) and about == asker.arn:
        return asker
    who = people.principal(about)
    if who is None:
        raise NotFound(
            f"there is no principal `{about}`",
            why="no user or role is called so, and it is no identifier of somebody else's",
            fix="lakeveil identity user ls",
        )
    return replace(who, identities=who.identities | set(groups))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTable:
    """A table, and those of its columns that whoever asks may know of."""

    record: TableRecord
    columns: tuple[str, ...]
    discovered: bool
    """Whether it is discoverable to whoever asks."""


def found_table(
    asker: Asker, name: TableName, *, lake: LakeReader, policy: Policy, now: float
) -> FoundTable:
    """A table that the asker may know of: it can describe it, discover it, or views everything.

    What is discoverable is so to the account's own people, and only while the table is governed.

    Raises:
        NotFound: there is none, or none for the asker.
    """
    database = lake.database(name.account, name.database)
    record = lake.table(name)
    # Decided for what is not there, too: how long an answer takes tells nothing then.
    table = record.table if record else Table(name=name, columns=())
    every = tuple(column.name for column in table.columns)
    discovered = False
    if isinstance(asker, Operator):
        exists, columns = True, every
    else:
        authority = Authority(who=asker, policy=policy, now=now)
        exists, columns = authority.knows_table(table), authority.known_columns(table)
        if (
            record is not None
            and database is not None
            and asker.account == name.account
            and record.discoverable
            and database.discoverable
            and table.governed
        ):
            exists, columns, discovered = True, every, True
    if record is None or not exists:
        raise NotFound(
            f"there is no table `{name}`",
            why="it does not exist, or not for you",
            fix="check the name, or ask its owner",
        )
    return FoundTable(record=record, columns=columns, discovered=discovered)


def no_column(name: TableName, column: str) -> NotFound:
    """The one answer for a column that is not there, and one that is not for the asker."""
    return NotFound(
        f"`{name}` has no column `{column}`",
        why="it does not exist, or not for you",
        fix="check the name",
    )


def history_of(lake: LakeReader, name: TableName, column: str) -> History:
    """Who set the tags that hold for a column, by layer and key."""
    found: dict[tuple[str, str], SetBy] = {}
    for one in lake.assignments(name.account, name.database, name.table):
        place = one.place
        if place.column not in {"", column}:
            continue
        layer = (
            "column"
            if place.column
            else "table"
            if place.table
            else "database"
            if place.database
            else "catalog"
        )
        found[layer, one.key] = SetBy(one.set_by, one.set_at)
    return found


def _telling(who: Principal, found: FoundTable, policy: Policy, now: float) -> Telling:
    return Telling(
        authority=Authority(who=who, policy=policy, now=now),
        table=found.record.table,
        columns=frozenset(found.columns),
        discovered=found.discovered,
    )
