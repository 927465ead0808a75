"""The guard alone: checked queries over governed views in a DuckDB that nothing else holds.

It runs in this very process, unlocked, over whole files. `Permitted` runs the same over a copy that
holds what may be seen and nothing else: what both say has to be the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from lakeveil.adapters.engine import sources
from lakeveil.adapters.engine.failures import classify
from lakeveil.adapters.engine.hive_types import duckdb_type
from lakeveil.core.query.failures import QueryError
from lakeveil.flows.statements import explain as explaining
from lakeveil.ports.engine import ScanFile
from lakeveil.sql.guard import check_query
from lakeveil.sql.parse import parse
from lakeveil.sql.relations import CheckedQuery
from lakeveil.sql.statements import Explain
from tests.hostile.attempts import Outcome, Statement
from tests.hostile.canary_lake import PREFIX, arrow
from tests.hostile.decided import NOW, DecidedLake, Stored


class GuardAlone:
    """A lake in a directory, and statements over it."""

    def __init__(self, lake: DecidedLake, directory: Path) -> None:
        self.lake = lake
        self.connection = opened()
        self.files: dict[str, ScanFile] = {}
        self._urls: dict[ScanFile, str] = {}
        kept = directory / PREFIX
        kept.mkdir(parents=True)
        for one in lake.stored:
            if one.view is None:
                path = kept / f"{one.table.name.table}.parquet"
                pq.write_table(arrow(one), path)
                file = ScanFile(location=f"s3://bucket/{PREFIX}/{path.name}", size=1)
                self.files[one.table.name.table] = file
                self._urls[file] = str(path)

    @property
    def known(self) -> dict[str, str]:
        """What an attacker is taken to know."""
        orders, other = self.files["orders"], self.files["zz_out"]
        return {
            "{url}": self._urls[orders],
            "{other}": self._urls[other],
            "{location}": orders.location,
        }

    def tried(self, one: Statement) -> Outcome:
        """What its author gets."""
        checked = asked(one, self.lake)
        if isinstance(checked, Outcome):
            return checked
        with self.connection.cursor() as cursor:
            for used, stored in self.lake.used(checked):
                file = self.files[stored.table.name.table]
                relation = self.lake.engine_relation(used, [file])
                text = sources.view_sql(relation, self._urls)
                cursor.execute(f'CREATE OR REPLACE TEMP VIEW "{used.alias}" AS {text}')
            return outcome_of(cursor, checked, barrier=True)


class Permitted:
    """A copy of what may be seen."""

    def __init__(self, lake: DecidedLake) -> None:
        self.lake = lake
        self.connection = opened()
        for one in lake.stored:
            if lake.decision(one).shown() and one.view is None:
                self._copy(one)

    def tried(self, one: Statement) -> Outcome:
        """What its author ought to get of an allowed statement."""
        return self.answered(checked_query(one, self.lake))

    def answered(self, checked: CheckedQuery) -> Outcome:
        """A checked query over the copy."""
        with self.connection.cursor() as cursor:
            for used, stored in self.lake.used(checked):
                cursor.execute(
                    f'CREATE OR REPLACE TEMP VIEW "{used.alias}" AS FROM {_copied(stored)}'
                )
            return outcome_of(cursor, checked, barrier=False)

    def _copy(self, one: Stored) -> None:
        types = self.lake.types(one)
        columns = ", ".join(f'"{name}" {duckdb_type(kind)}' for name, kind in types.items())
        self.connection.execute(f"CREATE TABLE {_copied(one)} ({columns})")
        rows = [[row[name] for name in types] for row in self.lake.permitted(one)]
        if rows:
            marks = ", ".join("?" for _ in types)
            self.connection.executemany(f"INSERT INTO {_copied(one)} VALUES ({marks})", rows)


def opened() -> duckdb.DuckDBPyConnection:
    """DuckDB as it is out of the box, but for the zone."""
    connection = duckdb.connect(config={"threads": "1"})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _copied(one: Stored) -> str:
    return f'main."copy_{one.table.name.database}_{one.table.name.table}"'


def checked_query(one: Statement, lake: DecidedLake) -> CheckedQuery:
    """As the product checks it."""
    return check_query(one.sql, catalog=lake, database="lake", parameters=one.parameters, now=NOW)


def asked(one: Statement, lake: DecidedLake) -> CheckedQuery | Outcome:
    """A query to run; or at once what is said, if it is a refusal or a plan."""
    try:
        statement = parse(one.sql, one.parameters)
        if isinstance(statement, Explain) and not statement.analyze:
            inner = explaining._query(statement)
            checked = check_query(inner, catalog=lake, database="lake", now=NOW)
            return Outcome(rows=[(line,) for line in plan(checked)], columns=("Query Plan",))
        return checked_query(one, lake)
    except QueryError as error:
        return Outcome(error=error.failure.name.name, words=str(error))


def plan(checked: CheckedQuery) -> list[str]:
    """What EXPLAIN says of a query, in both its forms."""
    return [*explaining._text(checked), *explaining._json(checked)]


def outcome_of(cursor: Any, checked: CheckedQuery, *, barrier: bool) -> Outcome:
    """Run a checked query over relations that are there.

    With `barrier` one that fails runs once more over the rows that the views show, as in the engine
    """
    shown = tuple(column.name for column in checked.columns)
    try:
        return Outcome(rows=cursor.execute(checked.sql).fetchall(), columns=shown)
    except (duckdb.Error, RuntimeError) as error:
        if not barrier:
            return Outcome(error=classify(error).name)
    try:
        for used in checked.relations:
            cursor.execute(f'CREATE OR REPLACE TEMP TABLE "p_{used.alias}" AS FROM "{used.alias}"')
            cursor.execute(f'CREATE OR REPLACE TEMP VIEW "{used.alias}" AS FROM "p_{used.alias}"')
        return Outcome(rows=cursor.execute(checked.sql).fetchall(), columns=shown)
    except (duckdb.Error, RuntimeError) as error:
        return Outcome(error=classify(error).name)
