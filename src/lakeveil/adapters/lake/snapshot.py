"""The whole policy out of the database, as one frozen value, and which locations are governed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from lakeveil.adapters.lake.codec import grant_of, settings_of
from lakeveil.adapters.lake.kept_tables import KeptTables
from lakeveil.adapters.lake.prepared import Prepared
from lakeveil.adapters.tables.identity import identity_accounts
from lakeveil.adapters.tables.lake import (
    lake_versions,
    lf_expressions,
    lf_filters,
    lf_grants,
    lf_locations,
    lf_settings,
    lf_tags,
)
from lakeveil.core.access.grants import DataCellsFilter, TableName
from lakeveil.core.access.lake import LakeSettings, Policy
from lakeveil.core.access.locations import is_under
from lakeveil.core.access.tags import Expression, LFTag, SavedExpression

# Asked at every call. An account's organisations never change, but accounts come.
_VERSION = Prepared(
    sa.select(
        sa.select(lake_versions.c.version)
        .where(lake_versions.c.name == "policy")
        .scalar_subquery(),
        sa.select(sa.func.count()).select_from(identity_accounts).scalar_subquery(),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A policy, the locations registered by each account, and the version of both.

    `tables` are kept for as long as it is: another policy, or another location, starts anew.
    """

    version: tuple[int, int]
    policy: Policy
    locations: Mapping[str, tuple[str, ...]]
    tables: KeptTables = field(default_factory=KeptTables, compare=False, repr=False)

    def governs(self, account: str, location: str) -> bool:
        """Whether data at a location is under one that the account registered.

        What has no data (no location) has nothing that could be read past us.
        """
        return not location or any(
            is_under(location, registered) for registered in self.locations.get(account, ())
        )


def policy_version(connection: sa.Connection) -> tuple[int, int]:
    """The version of the policy as it is now, and how many accounts it is about."""
    ((version, count),) = _VERSION.rows(connection)
    return int(version or 0), int(count)


def raise_policy_version(connection: sa.Connection) -> None:
    """Let every process read the policy anew; in the transaction that changed it."""
    done = connection.execute(
        sa.update(lake_versions)
        .where(lake_versions.c.name == "policy")
        .values(version=lake_versions.c.version + 1)
    )
    if done.rowcount == 0:
        connection.execute(sa.insert(lake_versions).values(name="policy", version=1))


def read_snapshot(connection: sa.Connection) -> Snapshot:
    """Read everything about access except the tables themselves."""
    locations: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(sa.select(lf_locations)):
        locations[row.account] = (*locations.get(row.account, ()), row.location)
    return Snapshot(
        version=policy_version(connection),
        locations=locations,
        policy=Policy(
            tags={
                (row.account, row.key): LFTag(
                    account=row.account,
                    key=row.key,
                    values=frozenset(json.loads(row.values_json)),
                    created_by=row.created_by,
                )
                for row in connection.execute(sa.select(lf_tags))
            },
            expressions={
                (row.account, row.name): SavedExpression(
                    account=row.account,
                    name=row.name,
                    body=Expression.of(json.loads(row.body_json)),
                    description=row.description,
                )
                for row in connection.execute(sa.select(lf_expressions))
            },
            grants=tuple(
                grant_of(row)
                for row in connection.execute(sa.select(lf_grants).order_by(lf_grants.c.id))
            ),
            filters={
                (found.table, found.name): found
                for found in map(_filter, connection.execute(sa.select(lf_filters)))
            },
            settings=_settings(connection),
        ),
    )


def _settings(connection: sa.Connection) -> dict[str, LakeSettings]:
    texts = {row.account: row.settings_json for row in connection.execute(sa.select(lf_settings))}
    organisations = {
        row.id: {row.organisation, *json.loads(row.units)} - {""}
        for row in connection.execute(sa.select(identity_accounts))
    }
    return {
        account: settings_of(texts.get(account), organisations.get(account, ()))
        for account in {*texts, *organisations}
    }


def _filter(row: sa.Row[tuple[object, ...]]) -> DataCellsFilter:
    return DataCellsFilter(
        table=TableName(row.account, row.database, row.table_name),
        name=row.name,
        named=frozenset(json.loads(row.columns_json)),
        excluding=row.excluding,
        rows=row.row_filter,
        version=row.version,
    )
