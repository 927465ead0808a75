"""Planning scans on a real store: what the engine reads of a plan is what the table holds."""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    DateType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    StructType,
)

from lakeveil.adapters.database import open_database
from lakeveil.adapters.engine.sources import files, view_sql
from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.adapters.lake import open_lake
from lakeveil.adapters.object_store import StoreKey
from lakeveil.adapters.scanning import StorePlanner
from lakeveil.adapters.scanning.hive_files import HiveFiles
from lakeveil.adapters.scanning.iceberg_deletes import Removals
from lakeveil.adapters.scanning.iceberg_files import IcebergFiles
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Column, Table
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.ports.engine import EngineRelation, Scan
from lakeveil.ports.lake import TableRecord
from lakeveil.sql.governed_view import GovernedView
from tests.adapters.iceberg_tables import (
    Tables,
    add_deletes,
    data_files,
    equality_deletes,
    position_deletes,
    puffin,
)
from tests.stack_fixture import Weed

SIMPLE = Schema(NestedField(1, "id", IntegerType()), NestedField(2, "said", StringType()))
Partitions = list[tuple[tuple[str, ...], Mapping[str, Any]]]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    found = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield found
    found.dispose()


@pytest.fixture(scope="module")
def bucket(weed: Weed) -> str:
    return weed.new_bucket("scans")


@pytest.fixture
def tables(engine: sa.Engine, weed: Weed, bucket: str) -> Tables:
    key = weed.credentials.s3["admin"]
    catalog = SqlIcebergCatalog(
        engine,
        endpoint=weed.endpoint,
        key=StoreKey(key.access_key_id, key.secret_access_key),
        region="us-east-1",
    )
    return Tables(catalog=catalog, lake=open_lake(engine), bucket=bucket)


@pytest.fixture
def planner(tables: Tables, weed: Weed) -> StorePlanner:
    return StorePlanner(iceberg=IcebergFiles(tables.catalog._io), hive=HiveFiles(weed.s3()))


def record_of(tables: Tables, name: TableName) -> TableRecord:
    table = tables.open(name)
    return TableRecord(
        table=Table(name=name, columns=()),
        location=table.metadata.location,
        metadata_location=table.metadata_location,
    )


def add(tables: Tables, name: TableName, rows: dict[str, list[Any]]) -> None:
    table = tables.open(name)
    schema = table.schema().as_arrow()
    table.append(pa.table(rows, schema=pa.schema([schema.field(column) for column in rows])))


def read(scan: Scan, weed: Weed, tmp_path: Path) -> list[tuple[Any, ...]]:
    """The rows of a plan, as the engine's own SQL has them, over copies of its files."""
    urls = {}
    for number, file in enumerate(files(scan)):
        bucket, _, key = file.location.removeprefix("s3://").partition("/")
        ending = ".gz" if key.endswith(".gz") else ""
        path = tmp_path / f"copy-{number}{ending}"
        path.write_bytes(weed.s3().get_object(Bucket=bucket, Key=key)["Body"].read())
        assert path.stat().st_size == file.size
        urls[file] = str(path)
    view = GovernedView(columns={column.name: f'"{column.name}"' for column in scan.columns})
    sql = view_sql(EngineRelation(alias="r0", scan=scan, view=view), urls)
    return sorted(duckdb.connect().execute(sql).fetchall(), key=repr)


# -- Iceberg -----------------------------------------------------------------------------------
def test_a_table_is_read_as_it_is(
    planner: StorePlanner, tables: Tables, weed: Weed, tmp_path: Path
) -> None:
    name = tables.make(SIMPLE)
    add(tables, name, {"id": [1, 2], "said": ["a", None]})
    add(tables, name, {"id": [3], "said": ["c"]})

    scan = planner.plan(record_of(tables, name))

    assert len(scan.groups) == 1
    assert read(scan, weed, tmp_path) == [(1, "a"), (2, None), (3, "c")]
    assert planner.plan(record_of(tables, name)) is scan


def test_an_empty_table_has_columns_and_no_rows(
    planner: StorePlanner, tables: Tables, weed: Weed, tmp_path: Path
) -> None:
    scan = planner.plan(record_of(tables, tables.make(SIMPLE)))

    assert [column.name for column in scan.columns] == ["id", "said"]
    assert read(scan, weed, tmp_path) == []


def test_a_schema_that_changed_is_read_by_field(
    planner: StorePlanner, tables: Tables, weed: Weed, tmp_path: Path
) -> None:
    name = tables.make(SIMPLE)
    add(tables, name, {"id": [1], "said": ["old"]})
    with tables.open(name).update_schema() as update:
        update.rename_column("said", "told")
        update.update_column("id", LongType())
        update.add_column("more", StringType())
    add(tables, name, {"id": [2**40], "told": ["new"], "more": ["m"]})
    with tables.open(name).update_schema() as update:
        update.rename_column("told", "x")
        update.rename_column("more", "said")
    with tables.open(name).update_schema() as update:
        update.delete_column("x")
    with tables.open(name).update_schema() as update:
        update.add_column("x", StringType())
    add(tables, name, {"id": [3], "said": ["s"], "x": ["again"]})

    scan = planner.plan(record_of(tables, name))

    assert [(column.name, column.type) for column in scan.columns] == [
        ("id", "bigint"), ("said", "string"), ("x", "string"),
    ]  # fmt: skip
    assert read(scan, weed, tmp_path) == [(1, None, None), (2**40, "m", None), (3, "s", "again")]


def test_names_that_files_spell_otherwise_are_found(
    planner: StorePlanner, tables: Tables, weed: Weed, tmp_path: Path
) -> None:
    name = tables.make(Schema(NestedField(1, "user-agent", StringType())))
    add(tables, name, {"user-agent": ["firefox"]})

    assert read(planner.plan(record_of(tables, name)), weed, tmp_path) == [("firefox",)]


def test_members_of_a_struct_that_were_added_are_null_and_renamed_ones_refused(
    planner: StorePlanner, tables: Tables, weed: Weed, tmp_path: Path
) -> None:
    who = StructType(NestedField(3, "name", StringType()), NestedField(4, "age", IntegerType()))
    name = tables.make(Schema(NestedField(1, "id", IntegerType()), NestedField(2, "who", who)))
    add(tables, name, {"id": [1], "who": [{"name": "ann", "age": 3}]})
    with tables.open(name).update_schema() as update:
        update.add_column(("who", "mail"), StringType())
    add(tables, name, {"id": [2], "who": [{"name": "bob", "age": 4, "mail": "b@x"}]})

    scan = planner.plan(record_of(tables, name))
    assert read(scan, weed, tmp_path) == [
        (1, {"name": "ann", "age": 3, "mail": None}),
        (2, {"name": "bob", "age": 4, "mail": "b@x"}),
    ]
    with tables.open(name).update_schema() as update:
        update.rename_column(("who", "name"), "first")
    with pytest.raises(QueryError, match="member of a column was renamed"):
        planner.plan(record_of(tables, name))


def test_partitions_that_changed_do_not_matter_to_what_is_read(
    planner: StorePlanner, tables: Tables, weed: Weed, tmp_path: Path
) -> None:
    name = tables.make(
        Schema(NestedField(1, "id", IntegerType()), NestedField(2, "day", DateType())),
        PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "day")),
    )
    add(tables, name, {"id": [1, 2], "day": [date(2026, 1, 2), None]})
    with tables.open(name).update_spec() as update:
        update.remove_field("day")
        update.add_field("id", IdentityTransform(), "id")
    add(tables, name, {"id": [3], "day": [date(2026, 1, 3)]})

    assert read(planner.plan(record_of(tables, name)), weed, tmp_path) == [
        (1, date(2026, 1, 2)), (2, None), (3, date(2026, 1, 3)),
    ]  # fmt: skip


def test_a_partition_column_that_files_do_not_hold_has_its_partitions_value(
    planner: StorePlanner, tables: Tables, weed: Weed, bucket: str
) -> None:
    name = tables.make(
        Schema(NestedField(1, "id", IntegerType()), NestedField(2, "day", DateType())),
        PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "day")),
        properties={"schema.name-mapping.default": '[{"field-id":1,"names":["id"]}]'},
    )
    add(tables, name, {"id": [1], "day": [date(2026, 1, 2)]})
    (file,) = data_files(tables.open(name))
    held = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([1], pa.int32())}), held)
    key = file.file_path.removeprefix(f"s3://{bucket}/")
    weed.s3().put_object(Bucket=bucket, Key=key, Body=held.getvalue())

    (group,) = planner.plan(record_of(tables, name)).groups

    assert group.constants == {"day": "2026-01-02"}
    assert not group.missing


def test_deleted_positions_and_values_are_gone(
    planner: StorePlanner, tables: Tables, weed: Weed, tmp_path: Path
) -> None:
    name = tables.make(SIMPLE)
    add(tables, name, {"id": [1, 2, 3, 4], "said": ["a", "b", None, "d"]})
    table = tables.open(name)
    (file,) = data_files(table)
    add_deletes(table, position_deletes(table, [(file.file_path, 0)], like=file, bounds=True))
    table = tables.open(name)
    before = table.metadata.current_snapshot_id
    gone = pa.table({"said": pa.array([None], pa.string())})
    add_deletes(table, equality_deletes(table, gone, [2], like=None))
    add(tables, name, {"id": [5], "said": [None]})
    record = record_of(tables, name)

    assert read(planner.plan(record), weed, tmp_path) == [(2, "b"), (4, "d"), (5, None)]
    assert read(planner.plan(record, snapshot=before), weed, tmp_path) == [
        (2, "b"), (3, None), (4, "d"),
    ]  # fmt: skip


def test_deletes_of_one_partition_leave_the_others_alone(
    planner: StorePlanner, tables: Tables, weed: Weed, tmp_path: Path
) -> None:
    name = tables.make(SIMPLE, PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "said")))
    add(tables, name, {"id": [1, 2, 1, 2], "said": ["a", "a", "b", "b"]})
    table = tables.open(name)
    found = {file.partition[0]: file for file in data_files(table)}
    gone = pa.table({"id": pa.array([1], pa.int32())})
    add_deletes(
        table,
        equality_deletes(table, gone, [1], like=found["a"]),
        position_deletes(table, [(found["b"].file_path, 1)], like=found["b"]),
    )

    assert read(planner.plan(record_of(tables, name)), weed, tmp_path) == [(1, "b"), (2, "a")]


def test_values_deleted_by_a_column_that_was_renamed_are_gone(
    planner: StorePlanner, tables: Tables, weed: Weed, tmp_path: Path
) -> None:
    name = tables.make(SIMPLE)
    add(tables, name, {"id": [1, 2, 3], "said": ["a", "b", "a"]})
    table = tables.open(name)
    add_deletes(table, equality_deletes(table, pa.table({"said": ["a"]}), [2], like=None))
    with tables.open(name).update_schema() as update:
        update.rename_column("said", "told")
    with tables.open(name).update_schema() as update:
        update.add_column("said", StringType())
    add(tables, name, {"id": [4], "told": ["a"], "said": ["b"]})

    assert read(planner.plan(record_of(tables, name)), weed, tmp_path) == [
        (2, "b", None), (4, "a", "b"),
    ]  # fmt: skip


def test_values_deleted_by_a_column_that_was_dropped_are_refused(
    planner: StorePlanner, tables: Tables
) -> None:
    name = tables.make(SIMPLE)
    add(tables, name, {"id": [1], "said": ["a"]})
    table = tables.open(name)
    add_deletes(table, equality_deletes(table, pa.table({"said": ["a"]}), [2], like=None))
    with tables.open(name).update_schema() as update:
        update.delete_column("said")
    with tables.open(name).update_schema() as update:
        update.add_column("said", StringType())

    with pytest.raises(QueryError, match="dropped since") as refused:
        planner.plan(record_of(tables, name))
    assert refused.value.failure.name is ErrorName.NOT_SUPPORTED


def test_a_deletion_vector_takes_rows_out_of_its_own_file_alone(
    tables: Tables, weed: Weed, bucket: str
) -> None:
    from pyiceberg.io import load_file_io
    from pyiceberg.manifest import (
        DATA_FILE_TYPE,
        DataFile,
        DataFileContent,
        FileFormat,
        ManifestEntry,
        ManifestEntryStatus,
    )
    from pyiceberg.typedef import Record

    body, _ = puffin([("s3://b/one", [0, 5, 2**33]), ("s3://b/two", [1])])
    weed.s3().put_object(Bucket=bucket, Key="v.puffin", Body=body)
    file = DataFile._bind(
        struct=DATA_FILE_TYPE[3],
        content=DataFileContent.POSITION_DELETES,
        file_path=f"s3://{bucket}/v.puffin",
        file_format=FileFormat.PUFFIN,
        partition=Record(),
        record_count=3,
        file_size_in_bytes=len(body),
        referenced_data_file="s3://b/one",
    )
    entry = ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, data_file=file)
    store = load_file_io(tables.catalog._io, f"s3://{bucket}/v.puffin")

    found = Removals.of([entry], SIMPLE, store, lambda _path: ())

    assert found.rows == {"s3://b/one": (0, 5, 2**33)}


def test_a_table_is_read_as_it_was(
    planner: StorePlanner, tables: Tables, weed: Weed, tmp_path: Path
) -> None:
    name = tables.make(SIMPLE)
    add(tables, name, {"id": [1], "said": ["a"]})
    first = tables.open(name).metadata.snapshots[0]
    time.sleep(0.01)
    add(tables, name, {"id": [2], "said": ["b"]})
    record = record_of(tables, name)

    asked: list[dict[str, Any]] = [
        {"snapshot": first.snapshot_id},
        {"timestamp_ms": first.timestamp_ms},
    ]
    gone: list[dict[str, Any]] = [{"snapshot": 1}, {"timestamp_ms": first.timestamp_ms - 1}]
    for one in asked:
        assert read(planner.plan(record, **one), weed, tmp_path) == [(1, "a")]
    for one in gone:
        with pytest.raises(QueryError) as refused:
            planner.plan(record, **one)
        assert refused.value.failure.name is ErrorName.INVALID_ARGUMENTS


def test_a_time_whose_snapshot_was_forgotten_is_no_empty_table(
    planner: StorePlanner, tables: Tables
) -> None:
    name = tables.make(SIMPLE)
    add(tables, name, {"id": [1], "said": ["a"]})
    first = tables.open(name).metadata.snapshots[0]
    time.sleep(0.01)
    add(tables, name, {"id": [2], "said": ["b"]})
    tables.open(name).maintenance.expire_snapshots().by_id(first.snapshot_id).commit()

    with pytest.raises(QueryError):
        planner.plan(record_of(tables, name), timestamp_ms=first.timestamp_ms)


def test_files_outside_of_the_tables_location_are_refused(
    planner: StorePlanner, tables: Tables, bucket: str
) -> None:
    name = tables.make(SIMPLE)
    add(tables, name, {"id": [1], "said": ["a"]})
    record = record_of(tables, name)

    for location in (f"s3://{bucket}/{name.table}/data", f"s3://{bucket}/other", ""):
        with pytest.raises(QueryError, match="outside of its location"):
            planner.plan(replace(record, location=location))


def test_a_file_that_is_gone_is_said_without_its_name(
    planner: StorePlanner, tables: Tables
) -> None:
    name = tables.make(SIMPLE)
    add(tables, name, {"id": [1], "said": ["a"]})
    record = record_of(tables, name)
    snapshot = tables.open(name).metadata.current_snapshot()
    assert snapshot is not None
    tables.open(name).io.delete(snapshot.manifest_list)

    with pytest.raises(QueryError, match="gone from the store") as refused:
        planner.plan(record)
    assert "s3://" not in str(refused.value)


# -- Hive --------------------------------------------------------------------------------------
PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
LAZY = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
JSON = "org.openx.data.jsonserde.JsonSerDe"
COLUMNS = (Column("id", "bigint"), Column("said", "string"))


def hive(location: str, library: str, *more: Column, **said: Any) -> TableRecord:
    descriptor = {
        "SerdeInfo": {"SerializationLibrary": library, "Parameters": said.pop("serde", {})},
        "InputFormat": said.pop("input", ""),
    }
    return TableRecord(
        table=Table(name=TableName("1", "ads", "h"), columns=(*COLUMNS, *more)),
        document={"StorageDescriptor": descriptor, "Parameters": said},
        location=location,
    )


def put(weed: Weed, bucket: str, key: str, body: bytes) -> None:
    weed.s3().put_object(Bucket=bucket, Key=key, Body=body)


def parquet(**columns: Any) -> bytes:
    held = io.BytesIO()
    pq.write_table(pa.table(columns), held)
    return held.getvalue()


def at(location: str, **more: Any) -> dict[str, Any]:
    return {"StorageDescriptor": {"Location": location, **more}}


def test_parquet_below_a_location_is_read_and_what_is_hidden_is_not(
    planner: StorePlanner, weed: Weed, tmp_path: Path
) -> None:
    bucket = weed.new_bucket("hive")
    put(weed, bucket, "t/a", parquet(id=[1], said=["a"]))
    put(weed, bucket, "t/deep/er/b", parquet(id=[2]))
    for key in ("t/_SUCCESS", "t/.x/c", "t/_temporary/d", "t-other/e"):
        put(weed, bucket, key, parquet(id=[9], said=["hidden"]))
    put(weed, bucket, "t/empty", b"")

    scan = planner.plan(hive(f"s3://{bucket}/t", PARQUET))

    assert read(scan, weed, tmp_path) == [(1, "a"), (2, None)]
    put(weed, bucket, "t/a", parquet(id=[7], said=["b"]))
    assert planner.plan(hive(f"s3://{bucket}/t", PARQUET)).snapshot != scan.snapshot


def test_values_of_partitions_are_those_of_the_catalog(
    planner: StorePlanner, weed: Weed, tmp_path: Path
) -> None:
    bucket = weed.new_bucket("hive")
    put(weed, bucket, "t/x/f", parquet(id=[1], said=["a"]))
    put(weed, bucket, "t/y/f", parquet(id=[2], said=["b"]))
    put(weed, bucket, "t/unknown/f", parquet(id=[3], said=["c"]))
    partitions: Partitions = [
        (("2026-01-02",), at(f"s3://{bucket}/t/x")),
        (("__HIVE_DEFAULT_PARTITION__",), at(f"s3://{bucket}/t/y/")),
    ]

    scan = planner.plan(
        hive(f"s3://{bucket}/t", PARQUET, Column("day", "date", partition=True)),
        partitions=iter(partitions),
    )

    assert read(scan, weed, tmp_path) == [(1, "a", date(2026, 1, 2)), (2, "b", None)]


@pytest.mark.parametrize("place", ["s3://{}/elsewhere", "s3://{}/t2", "s3://{}/t/../u", ""])
def test_a_partition_outside_of_its_table_is_refused(
    planner: StorePlanner, bucket: str, place: str
) -> None:
    partitions: Partitions = [(("x",), at(place.format(bucket)))]
    record = hive(f"s3://{bucket}/t", PARQUET, Column("p", "string", partition=True))

    with pytest.raises(QueryError, match="outside of its table"):
        planner.plan(record, partitions=iter(partitions))


def test_a_partition_of_another_format_or_with_other_keys_is_refused(
    planner: StorePlanner, bucket: str
) -> None:
    record = hive(f"s3://{bucket}/t", PARQUET, Column("p", "string", partition=True))
    place = f"s3://{bucket}/t/p"
    other: Partitions = [(("x",), at(place, SerdeInfo={"SerializationLibrary": JSON}))]
    more: Partitions = [(("x", "y"), at(place))]

    with pytest.raises(QueryError, match="another format"):
        planner.plan(record, partitions=iter(other))
    with pytest.raises(QueryError, match="other keys"):
        planner.plan(record, partitions=iter(more))


def test_delimited_text_is_read_with_the_tables_options(
    planner: StorePlanner, weed: Weed, tmp_path: Path
) -> None:
    bucket = weed.new_bucket("hive")
    put(weed, bucket, "t/a", b'id|said\n1|a "b"\n\\N|\\N\nx|\n')
    put(weed, bucket, "t/b.gz", gzip.compress(b"id|said\n5|e\n"))
    record = hive(
        f"s3://{bucket}/t", LAZY, serde={"field.delim": "|"}, **{"skip.header.line.count": "1"}
    )

    assert read(planner.plan(record), weed, tmp_path) == [
        (1, 'a "b"'), (5, "e"), (None, ""), (None, None),
    ]  # fmt: skip


def test_quoted_text_and_json_lines_are_read(
    planner: StorePlanner, weed: Weed, tmp_path: Path
) -> None:
    bucket = weed.new_bucket("hive")
    put(weed, bucket, "c/a", b'"1","a,b"\n')
    put(weed, bucket, "j/a", json.dumps({"said": "é\n", "id": 2}).encode() + b"\n{}\n")

    found = planner.plan(hive(f"s3://{bucket}/c", OPEN_CSV))
    assert read(found, weed, tmp_path) == [(1, "a,b")]
    found = planner.plan(hive(f"s3://{bucket}/j", JSON))
    assert read(found, weed, tmp_path) == [(2, "é\n"), (None, None)]


@pytest.mark.parametrize(
    "record",
    [
        hive("s3://b/t", "org.apache.hadoop.hive.ql.io.orc.OrcSerde"),
        hive("s3://b/t", ""),
        hive("s3://b/t", PARQUET, input="org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"),
        hive("s3://b/t", PARQUET, **{"projection.enabled": "TRUE"}),
        hive("s3://b/t", LAZY, **{"skip.header.line.count": "x"}),
    ],
)
def test_what_is_not_read_is_refused(planner: StorePlanner, record: TableRecord) -> None:
    with pytest.raises(QueryError) as refused:
        planner.plan(record)
    assert refused.value.failure.name is ErrorName.NOT_SUPPORTED
