"""GetUnfiltered...: whole tables for engines that are trusted to filter them, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from lakeveil.core.access.grants import DataCellsFilter, OnColumns, OnFilter, TableName
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.audit import RecordKind
from lakeveil.flows.asked_grants import Asked
from lakeveil.flows.change_grants import grant
from tests.doors.glue.asking import names, on_table, register, table_input
from tests.doors.glue.conftest import ENGINE, Client
from tests.doors.lakeformation.asking import code, refusal
from tests.flows.lakes import ADMIN, ANA, HOME, OWNER, P, World

NAME = TableName(HOME, "ads", "visits")
EVERY = ["id", "ip_address", "page", "region", "year"]
ASKED = {"CatalogId": HOME, "DatabaseName": "ads"}
COLUMNS = ["COLUMN_PERMISSION"]
CELLS = [*COLUMNS, "CELL_FILTER_PERMISSION"]


@pytest.fixture
def engine(lake: World, client: Client) -> Any:
    """The engine, before a table with two partitions that it was granted nothing on."""
    register(lake, "s3://lake/ads")
    owner = client(OWNER)
    owner.create_table(DatabaseName="ads", TableInput=table_input())
    owner.batch_create_partition(
        DatabaseName="ads",
        TableName="visits",
        PartitionInputList=[{"Values": ["eu", "2026"]}, {"Values": ["us", "2026"]}],
    )
    return client(ENGINE)


def read(engine: Any, supported: list[str], **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = engine.get_unfiltered_table_metadata(
        **ASKED, Name="visits", SupportedPermissionTypes=supported, **more
    )
    return said


def some(*columns: str) -> OnColumns:
    return OnColumns(HOME, "ads", "visits", frozenset(columns))


def limit(lake: World, rows: str, *columns: str, name: str = "f") -> None:
    """Let the engine select rows of some columns."""
    found = DataCellsFilter(table=NAME, name=name, named=frozenset(columns), rows=rows)
    with lake.desk.lake.changing() as change:
        change.put_filter(found)
    lake.grant(ADMIN, ENGINE.arn, OnFilter(HOME, "ads", "visits", name), P.SELECT)


def test_an_engine_is_handed_everything_and_what_it_may_let_through(
    lake: World, engine: Any
) -> None:
    lake.grant(ADMIN, ENGINE.arn, some("id", "page"), P.SELECT)

    said = read(engine, COLUMNS)

    assert names(said["Table"]) == EVERY
    assert said["Table"]["StorageDescriptor"]["Location"] == "s3://lake/ads/visits"
    assert "spark.sql.sources.schema" in said["Table"]["Parameters"]
    assert said["AuthorizedColumns"] == ["id", "page"]
    assert said["CellFilters"] == []
    assert "RowFilter" not in said
    assert said["IsRegisteredWithLakeFormation"] is True
    assert said["Permissions"] == ["SELECT"]


def test_limits_on_rows_are_told_for_each_column_and_the_table(lake: World, engine: Any) -> None:
    limit(lake, "region = 'eu'", "id", "page")
    limit(lake, "region = 'us'", "id", name="g")

    said = read(engine, CELLS)

    assert said["AuthorizedColumns"] == ["id", "page"]
    assert {f["ColumnName"]: f["RowFilterExpression"] for f in said["CellFilters"]} == {
        "id": "(region = 'eu') OR (region = 'us')",
        "page": "(region = 'eu')",
    }
    assert said["RowFilter"] == "(region = 'eu') OR (region = 'us')"


def test_a_masked_column_is_not_let_through(lake: World, engine: Any) -> None:
    lake.grant(ADMIN, ENGINE.arn, some("id"), P.SELECT)
    asked = Asked(
        principal=ENGINE.arn,
        resource=some("ip_address"),
        permissions=frozenset({P.SELECT}),
        mask=Mask(MaskKind.HASH),
    )
    grant(asked, call=lake.call(ADMIN), desk=lake.desk)
    assert "ip_address" in lake.sees(ENGINE, NAME)

    assert read(engine, CELLS)["AuthorizedColumns"] == ["id"]


@pytest.mark.parametrize("supported", [[], COLUMNS, CELLS, ["NESTED_CELL_PERMISSION"]])
def test_an_engine_must_filter_as_finely_as_the_decision(
    lake: World, engine: Any, supported: list[str]
) -> None:
    if not supported:
        # The model wants one; whoever may see everything needs none.
        lake.grant(ADMIN, ENGINE.arn, on_table(), P.SELECT)
        assert read(engine, COLUMNS)["AuthorizedColumns"] == EVERY
        return
    limit(lake, "region = 'eu'", "id")

    if supported == COLUMNS:
        said = refusal(
            engine.get_unfiltered_table_metadata,
            **ASKED,
            Name="visits",
            SupportedPermissionTypes=supported,
        )
        assert said[0] == "PermissionTypeMismatchException"
    else:
        assert read(engine, supported)["AuthorizedColumns"] == ["id"]


def test_nobody_else_is_answered(lake: World, engine: Any, client: Client) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    asked = {**ASKED, "Name": "visits", "SupportedPermissionTypes": CELLS}

    for who in (ANA, OWNER, ADMIN):
        said = code(client(who).get_unfiltered_table_metadata, **asked)
        assert said == "AccessDeniedException"
    # To an engine, too, a table without a grant is not there.
    assert code(engine.get_unfiltered_table_metadata, **asked) == "EntityNotFoundException"
    lake.grant(ADMIN, ENGINE.arn, on_table(), P.DESCRIBE)
    assert code(engine.get_unfiltered_table_metadata, **asked) == "AccessDeniedException"
    lake.grant(ADMIN, ENGINE.arn, on_table(), P.SELECT)
    read(engine, CELLS, Permissions=["SELECT"])
    assert code(engine.get_unfiltered_table_metadata, **asked, Permissions=["DROP"]) == (
        "AccessDeniedException"
    )


def test_what_was_handed_out_is_on_record_under_its_authorization(lake: World, engine: Any) -> None:
    given = lake.grant(ADMIN, ENGINE.arn, some("id", "page"), P.SELECT)

    said = read(engine, COLUMNS)

    (record,) = (
        entry.record
        for entry in lake.trail.entries(action="glue:GetUnfilteredTableMetadata")
        if entry.record and entry.record.kind is RecordKind.INTENT
    )
    assert record.id == said["QueryAuthorizationId"]
    assert record.event.decision == {
        "allowed": ["id", "page"],
        "hidden": ["ip_address", "region", "year"],
    }
    assert record.event.grants == tuple(one.id for one in given)


def test_partitions_are_handed_out_with_the_columns(lake: World, engine: Any) -> None:
    lake.grant(ADMIN, ENGINE.arn, some("id"), P.SELECT)
    asked = {**ASKED, "TableName": "visits", "SupportedPermissionTypes": COLUMNS}

    every = engine.get_unfiltered_partitions_metadata(**asked)["UnfilteredPartitions"]
    chosen = engine.get_unfiltered_partitions_metadata(**asked, Expression="region = 'us'")
    one = engine.get_unfiltered_partition_metadata(**asked, PartitionValues=["eu", "2026"])

    assert [p["Partition"]["Values"] for p in every] == [["eu", "2026"], ["us", "2026"]]
    assert [p["Partition"]["Values"] for p in chosen["UnfilteredPartitions"]] == [["us", "2026"]]
    assert (one["Partition"]["Values"], one["AuthorizedColumns"]) == (["eu", "2026"], ["id"])
    assert one["IsRegisteredWithLakeFormation"] is True
    absent = {**asked, "PartitionValues": ["xx", "1"]}
    assert code(engine.get_unfiltered_partition_metadata, **absent) == "EntityNotFoundException"


def test_partitions_are_kept_from_everybody_else(lake: World, engine: Any, client: Client) -> None:
    del engine
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    asked = {**ASKED, "TableName": "visits", "SupportedPermissionTypes": CELLS}

    assert code(client(ANA).get_unfiltered_partitions_metadata, **asked) == "AccessDeniedException"
    one = {**asked, "PartitionValues": ["eu", "2026"]}
    assert code(client(ANA).get_unfiltered_partition_metadata, **one) == "AccessDeniedException"
