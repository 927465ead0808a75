"""The catalog below its doors: consistent looks, overlapping tables, a store that is away."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.core.access.deciding.data_access import DATA_ACCESS
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.tags import LFTag
from lakeveil.core.audit import AuditOutcome
from lakeveil.core.identity.rights import Effect, Rights, Statement
from lakeveil.errors import Conflict, NotFound, Refused
from lakeveil.flows.catalog_desk import CatalogDesk
from lakeveil.flows.change_partitions import NewPartition, create_partitions
from lakeveil.flows.change_tables import create_table, delete_table
from lakeveil.flows.commit_iceberg import register_iceberg_table
from lakeveil.flows.read_catalog import (
    read_partitions,
    read_table,
    read_tables,
    read_versions,
)
from lakeveil.flows.read_unfiltered import Filtering, read_unfiltered
from lakeveil.ports.lake import Assignment, Place
from tests.flows.lakes import (
    ADMIN,
    ANA,
    BOB,
    CLICKS,
    EVENTS,
    HOME,
    OWNER,
    P,
    World,
    on_table,
    table_record,
)


@pytest.fixture
def desk(lake: World) -> CatalogDesk:
    """The catalog, with a store that does not answer."""
    parts = lake.desk
    away = SqlIcebergCatalog(
        lake.engine, endpoint="http://127.0.0.1:9", key=None, region="us-east-1"
    )
    return CatalogDesk(lake=parts.lake, iceberg=away, audit=parts.audit, clock=parts.clock)


def test_tables_that_share_files_are_found(lake: World) -> None:
    inner = TableName(HOME, "ads", "inner")
    with lake.desk.lake.changing() as change:
        change.put_table(replace(table_record(inner), location="s3://lake/ads/events/2026"))

    def at(location: str) -> list[str]:
        return sorted(r.table.name.table for r in lake.desk.lake.tables_at(HOME, location))

    assert at("s3://lake/ads/events") == ["events", "inner"]
    assert at("s3://lake/ads/events/2026/x") == ["events", "inner"]
    assert at("s3://lake/ads") == ["clicks", "events", "inner"]
    assert at("s3://lake/ads/event") == at("s3://lake/ads/events2") == []
    assert lake.desk.lake.tables_at("210987654321", "s3://lake/ads") == []


def test_an_earlier_version_keeps_the_tags_of_columns_that_are_gone(
    lake: World, desk: CatalogDesk
) -> None:
    with lake.desk.lake.changing() as change:
        change.put_tag(LFTag(account=HOME, key="class", values=frozenset({"private"})))
        place = Place(HOME, "ads", "events", "ip_address")
        change.assign(Assignment(place=place, key="class", value="private"))
        change.put_table(table_record(EVENTS, ("id", "ts")))

    current, earlier = read_versions(EVENTS, who=OWNER, desk=desk)

    assert current.record.table.tags.columns == {}
    assert earlier.record.table.tags.columns == {"ip_address": {"class": "private"}}


def test_a_look_has_the_policy_and_the_tables_of_one_moment(lake: World) -> None:
    with lake.desk.lake.looking() as look:
        before = look.policy()
        lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
        with lake.desk.lake.changing() as change:
            change.remove_table(CLICKS)

        assert look.policy() is before
        assert look.table(CLICKS) is not None
    assert lake.desk.lake.table(CLICKS) is None
    assert lake.desk.lake.policy() is not before


def test_a_grant_that_has_run_out_shows_nothing_though_nothing_was_written(
    lake: World, desk: CatalogDesk
) -> None:
    (given,) = lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    with lake.desk.lake.changing() as change:
        change.put_grant(replace(given, expires_at=lake.clock.now() + 60))
    assert read_table(EVENTS, who=ANA, desk=desk).view.entire
    lake.clock.sleep(60)

    with pytest.raises(NotFound):
        read_table(EVENTS, who=ANA, desk=desk)


def test_without_the_right_to_read_data_there_are_names_and_no_values(
    lake: World, desk: CatalogDesk
) -> None:
    no_data = Statement(effect=Effect.DENY, actions=(DATA_ACCESS,), resources=("*",))
    rights = Rights(statements=(*OWNER.rights.statements, no_data))
    name = TableName(HOME, "ads", "parts")
    keys = [{"Name": "region", "Type": "string"}]
    create_table(name, {"PartitionKeys": keys}, call=lake.call(OWNER), desk=desk)
    new = [NewPartition(["eu"], {})]
    assert create_partitions(name, new, call=lake.call(OWNER), desk=desk) == []

    blind = replace(OWNER, rights=rights)

    assert read_table(name, who=blind, desk=desk).view.known == {"region"}
    assert list(read_partitions(name, who=blind, desk=desk)) == []
    assert [one.values for one in read_partitions(name, who=OWNER, desk=desk)] == [("eu",)]
    with pytest.raises(Refused, match="Required Select"):
        read_unfiltered(
            name,
            supported=[Filtering.NESTED_CELL_PERMISSION],
            trusted_engines={OWNER.arn},
            call=lake.call(blind),
            desk=desk,
        )


def test_a_store_that_is_away_is_waited_for_once(lake: World, desk: CatalogDesk) -> None:
    many = [TableName(HOME, "ads", f"t{number}") for number in range(5)]
    with lake.desk.lake.changing() as change:
        for name in many:
            file = f"s3://lake/ads/{name.table}/1.json"
            change.put_table(replace(table_record(name), metadata_location=file))
            change.set_iceberg_entry(name, expected=None, new=f"{file}.new")
    started = time.monotonic()
    with pytest.raises(NotFound):
        read_table(many[0], who=OWNER, desk=desk)
    once = time.monotonic() - started

    listed = [table.name.table for table in read_tables(HOME, "ads", who=OWNER, desk=desk)]

    assert listed == ["clicks", "events"]
    assert time.monotonic() - started < 3 * once + 1


def test_a_refusal_before_anything_is_announced_is_on_record(
    lake: World, desk: CatalogDesk
) -> None:
    name = TableName(HOME, "ads", "mine")
    document = {
        "Parameters": {
            "table_type": "ICEBERG",
            "metadata_location": "s3://lake/ads/mine/metadata/1.json",
        },
        "StorageDescriptor": {"Location": "s3://lake/ads/mine", "Columns": []},
    }
    with pytest.raises(NotFound):
        register_iceberg_table(name, document, call=lake.call(BOB), desk=desk)
    lake.grant(ADMIN, BOB.arn, on_table(), P.SELECT)
    with pytest.raises(Refused):
        register_iceberg_table(name, document, call=lake.call(BOB), desk=desk)

    records = [e.record for e in lake.trail.entries(resource=f"table {HOME}/ads.mine")]
    assert [r.event.outcome for r in records if r] == [AuditOutcome.REFUSED] * 2


def test_an_error_undoes_all_of_a_change(lake: World, desk: CatalogDesk) -> None:
    with lake.desk.lake.changing() as change:
        change.put_table(replace(table_record(CLICKS), metadata_location="s3://lake/x/1.json"))
        change.set_iceberg_entry(CLICKS, expected=None, new="s3://lake/x/1.json")

    def drop_and_point() -> None:
        with lake.desk.lake.changing() as change:
            change.remove_table(CLICKS)
            change.set_iceberg_entry(CLICKS, expected="s3://lake/0.json", new="s3://lake/2.json")

    with pytest.raises(Conflict):
        drop_and_point()
    assert lake.desk.lake.table(CLICKS) is not None
    assert lake.desk.lake.iceberg_entry(CLICKS) == "s3://lake/x/1.json"

    delete_table(CLICKS, call=lake.call(OWNER), desk=desk)

    assert lake.desk.lake.table(CLICKS) is None
    assert lake.desk.lake.iceberg_entry(CLICKS) is None


def test_a_table_without_a_location_is_made_by_whoever_may_create(
    lake: World, desk: CatalogDesk
) -> None:
    name = TableName(HOME, "ads", "View")
    view = {"TableType": "VIRTUAL_VIEW", "ViewOriginalText": "/* Presto View: e30= */"}

    create_table(name, view, call=lake.call(OWNER), desk=desk)

    found = read_table(TableName(HOME, "ads", "view"), who=OWNER, desk=desk)
    assert (found.record.location, found.record.table.owner) == ("", OWNER.arn)
