"""What tells of the catalog, in a lake that is too large to be told of at once."""

from __future__ import annotations

import pytest

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import OnTable, TableName
from lakeveil.core.access.permissions import Permission
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.query_catalog import SeenCatalog
from lakeveil.sql.guard import check_query
from tests.flows.lakes import ADMIN, ANA, HOME, World, table_record

WIDE = tuple(f"column_{number:04}" for number in range(3_000))


@pytest.fixture
def large(lake: World) -> World:
    """A table `ads.wide` of 3,000 columns beside the others."""
    with lake.desk.lake.changing() as change:
        change.put_table(table_record(TableName(HOME, "ads", "wide"), WIDE))
    return lake


def told(lake: World, sql: str) -> str:
    """The engine's SQL of a query, in which what is told stands written out."""
    desk = lake.desk
    with desk.lake.looking() as looked:
        catalog = SeenCatalog(looked, Authority(who=ADMIN, policy=looked.policy(), now=0.0))
        return check_query(sql, catalog=catalog, database="ads", now=0.0).sql


def test_all_of_a_large_lake_is_too_much(large: World) -> None:
    with pytest.raises(QueryError, match="more to tell") as refused:
        told(large, "SELECT * FROM information_schema.columns")
    assert refused.value.failure.name is ErrorName.NOT_SUPPORTED


def test_a_table_that_is_asked_for_by_name_is_told_of(large: World) -> None:
    made = told(
        large,
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = 'ads' AND table_name = 'events' ORDER BY ordinal_position",
    )
    assert "'ip_address'" in made
    assert "column_0001" not in made


def test_what_is_not_there_for_somebody_is_not_told_by_its_name_either(lake: World) -> None:
    for where in ("table_name = 'events'", "table_schema = 'ads'", "table_schema = 'ADS'"):
        sql = f"SELECT * FROM information_schema.tables WHERE {where}"
        with lake.desk.lake.looking() as looked:
            catalog = SeenCatalog(looked, Authority(who=ANA, policy=looked.policy(), now=0.0))
            made = check_query(sql, catalog=catalog, database="ads", now=0.0).sql
        assert "clicks" not in made
        assert made.count("'events'") == (1 if "table_name" in where else 0), made


def test_drivers_are_told_of_tables_and_schemas(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, OnTable(HOME, "ads", "events"), Permission.DESCRIBE)
    for sql in (
        "SELECT table_schem, table_name FROM system.jdbc.tables WHERE table_schem = 'ads'",
        "SELECT table_schem FROM system.jdbc.schemas",
        "SELECT table_type FROM system.jdbc.table_types",
    ):
        assert told(lake, sql)


def test_a_name_of_the_query_around_leaves_nothing_out(lake: World) -> None:
    made = told(
        lake,
        "SELECT 1 FROM information_schema.tables WHERE EXISTS "
        "(SELECT 1 FROM information_schema.schemata WHERE table_schema = 'x')",
    )
    assert made.count("'ads'") > 2
