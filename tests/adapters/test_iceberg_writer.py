"""Writing into Iceberg tables on a real object store; what was written is read by PyIceberg."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    Transform,
    TruncateTransform,
    YearTransform,
)
from pyiceberg.types import (
    DateType,
    DecimalType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    TimestamptzType,
)

from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.adapters.iceberg_transforms import partition_values
from lakeveil.adapters.iceberg_writer import PyIcebergWriter
from lakeveil.adapters.lake import open_lake
from lakeveil.adapters.object_store import StoreKey
from lakeveil.core.access.grants import TableName
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import NotFound, Unavailable
from tests.adapters.iceberg_tables import (
    Tables,
    add_deletes,
    data_files,
    delete_files,
    equality_deletes,
    position_deletes,
)
from tests.stack_fixture import Weed

SIMPLE = Schema(
    NestedField(1, "id", LongType(), required=True), NestedField(2, "said", StringType())
)
EVENTS = Schema(
    NestedField(1, "id", LongType()),
    NestedField(2, "partner", StringType()),
    NestedField(3, "at", TimestampType()),
    NestedField(4, "day", DateType()),
)
LATER = 5_000_000_000.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    found = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield found
    found.dispose()


@pytest.fixture(scope="module")
def bucket(weed: Weed) -> str:
    return weed.new_bucket("writes")


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
def writer(tables: Tables, weed: Weed) -> PyIcebergWriter:
    return PyIcebergWriter(tables.catalog, weed.s3(), clock=ManualClock(LATER))


def batch(ids: list[int], said: list[str | None] | None = None) -> Any:
    said = said if said is not None else [str(n) for n in ids]
    return pa.RecordBatch.from_arrays(
        [pa.array(ids, pa.int64()), pa.array(said, pa.string())], ["id", "said"]
    )


def fill(writer: PyIcebergWriter, name: TableName, *groups: list[int]) -> None:
    for ids in groups:
        writer.append(name, [batch(ids)], columns=["id", "said"])


def ids(tables: Tables, name: TableName) -> list[int]:
    return sorted(row["id"] for row in tables.rows(name))


def keys(weed: Weed, bucket: str, name: TableName, folder: str = "") -> set[str]:
    found = weed.s3().list_objects_v2(Bucket=bucket, Prefix=f"{name.table}/{folder}")
    return {f"s3://{bucket}/{one['Key']}" for one in found.get("Contents", ())}


def current(tables: Tables, name: TableName) -> int | None:
    found = tables.open(name).metadata.current_snapshot()
    return found.snapshot_id if found else None


# -- append ------------------------------------------------------------------------------------
def test_what_is_appended_is_read_by_pyiceberg(writer: PyIcebergWriter, tables: Tables) -> None:
    name = tables.make(SIMPLE)

    written = writer.append(
        name,
        [batch([1, 2]), batch([3], [None])],
        columns=["id", "said"],
        properties={"lakeveil.query-id": "q1"},
    )

    assert tables.rows(name) == [
        {"id": 1, "said": "1"},
        {"id": 2, "said": "2"},
        {"id": 3, "said": None},
    ]
    table = tables.open(name)
    snapshot = table.metadata.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert snapshot.snapshot_id == written.snapshot_id
    assert snapshot.summary["lakeveil.query-id"] == "q1"
    assert snapshot.summary["total-records"] == "3"
    (file,) = data_files(table)
    assert (written.files, written.rows) == ((file.file_path,), 3)
    assert written.bytes == file.file_size_in_bytes
    with table.io.new_input(file.file_path).open() as stream:
        schema = pq.ParquetFile(stream).schema_arrow
    assert [f.metadata[b"PARQUET:field_id"] for f in schema] == [b"1", b"2"]


def test_columns_are_found_by_name_and_those_not_named_are_null(
    writer: PyIcebergWriter, tables: Tables
) -> None:
    name = tables.make(EVENTS)
    rows = pa.RecordBatch.from_arrays([pa.array(["acme"]), pa.array([7], pa.int32())], ["a", "b"])

    writer.append(name, [rows], columns=["PARTNER", "id"])

    assert tables.rows(name) == [{"id": 7, "partner": "acme", "at": None, "day": None}]


def test_names_that_avro_does_not_know_are_written_as_iceberg_spells_them(
    writer: PyIcebergWriter, tables: Tables
) -> None:
    name = tables.make(Schema(NestedField(1, "user-agent", StringType())))
    rows = pa.RecordBatch.from_arrays([pa.array(["firefox"])], ["x"])

    writer.append(name, [rows], columns=["user-agent"])

    assert tables.rows(name) == [{"user-agent": "firefox"}]


def test_rows_of_nothing_make_no_snapshot(writer: PyIcebergWriter, tables: Tables) -> None:
    name = tables.make(SIMPLE)

    assert writer.append(name, [batch([])], columns=["id", "said"]).snapshot_id is None
    assert current(tables, name) is None


@pytest.mark.parametrize(
    ("columns", "rows", "error"),
    [
        (["said"], [pa.array(["a"])], ErrorName.CONSTRAINT_VIOLATION),
        (["id"], [pa.array([1, None])], ErrorName.CONSTRAINT_VIOLATION),
        (["id", "other"], [pa.array([1]), pa.array([1])], ErrorName.COLUMN_NOT_FOUND),
        (["id", "ID"], [pa.array([1]), pa.array([1])], ErrorName.DUPLICATE_COLUMN_NAME),
        (["id"], [pa.array(["x"])], ErrorName.INVALID_CAST_ARGUMENT),
        (["id"], [pa.array([[1]])], ErrorName.TYPE_MISMATCH),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_nothing_left(
    writer: PyIcebergWriter,
    tables: Tables,
    weed: Weed,
    *,
    columns: list[str],
    rows: list[Any],
    error: ErrorName,
) -> None:
    bucket = tables.bucket
    name = tables.make(SIMPLE)
    given = pa.RecordBatch.from_arrays(rows, [f"c{n}" for n in range(len(rows))])

    with pytest.raises(QueryError) as refused:
        writer.append(name, [given], columns=columns)

    assert refused.value.failure.name is error
    assert keys(weed, bucket, name, "data/") == set()
    assert current(tables, name) is None


def test_what_was_written_is_removed_when_the_batches_raise(
    writer: PyIcebergWriter, tables: Tables, weed: Weed, bucket: str
) -> None:
    name = tables.make(SIMPLE)

    def failing() -> Iterator[Any]:
        yield batch(list(range(130_000)))
        raise QueryError(ErrorName.DIVISION_BY_ZERO, "Division by zero")

    with pytest.raises(QueryError, match="Division by zero"):
        writer.append(name, failing(), columns=["id", "said"])

    assert keys(weed, bucket, name, "data/") == set()


def test_a_large_append_has_files_of_the_size_that_the_table_wants(
    writer: PyIcebergWriter, tables: Tables
) -> None:
    name = tables.make(SIMPLE, properties={"write.target-file-size-bytes": "1048576"})
    rows = batch(list(range(130_000)), ["x" * 20] * 130_000)

    written = writer.append(name, [rows] * 3, columns=["id", "said"])

    assert len(written.files) == 3
    assert written.rows == 390_000
    assert tables.open(name).scan().count() == 390_000


def test_a_table_that_has_no_entry_is_not_found(writer: PyIcebergWriter) -> None:
    with pytest.raises(NotFound):
        writer.append(TableName("1", "a", "b"), [], columns=[])


@pytest.mark.parametrize("kind", ["orc", "avro"])
def test_a_table_that_wants_other_files_is_refused(
    writer: PyIcebergWriter, tables: Tables, kind: str
) -> None:
    name = tables.make(SIMPLE, properties={"write.format.default": kind})

    with pytest.raises(QueryError, match="another format"):
        writer.append(name, [batch([1])], columns=["id", "said"])


def test_those_who_append_at_the_same_time_all_get_through(
    writer: PyIcebergWriter, tables: Tables
) -> None:
    name = tables.make(SIMPLE)
    failures: list[BaseException] = []

    def add(number: int) -> None:
        try:
            fill(writer, name, [number])
        except Exception as error:  # noqa: BLE001 - it is what the test looks at
            failures.append(error)

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert ids(tables, name) == [0, 1, 2, 3]


def test_a_schema_that_changed_meanwhile_is_a_conflict(
    writer: PyIcebergWriter, tables: Tables, weed: Weed, bucket: str
) -> None:
    name = tables.make(SIMPLE)

    def changing() -> Iterator[Any]:
        yield batch([1])
        with tables.open(name).update_schema() as update:
            update.rename_column("said", "told")

    with pytest.raises(QueryError) as refused:
        writer.append(name, changing(), columns=["id", "said"])

    assert refused.value.failure.name is ErrorName.TRANSACTION_CONFLICT
    assert keys(weed, bucket, name, "data/") == set()
    assert not any("avro" in key for key in keys(weed, bucket, name, "metadata/"))


# -- partitions --------------------------------------------------------------------------------
BUCKETS: Transform[Any, Any] = BucketTransform(num_buckets=7)
TRANSFORMS: list[tuple[Transform[Any, Any], int]] = [
    (IdentityTransform(), 2),
    (IdentityTransform(), 4),
    (BucketTransform(num_buckets=4), 1),
    (BucketTransform(num_buckets=4), 2),
    (TruncateTransform(width=2), 2),
    (TruncateTransform(width=10), 1),
    (YearTransform(), 4),
    (MonthTransform(), 3),
    (DayTransform(), 3),
    (HourTransform(), 3),
]


@pytest.mark.parametrize(("transform", "source"), TRANSFORMS, ids=str)
def test_rows_lie_in_the_partitions_that_the_spec_says(
    writer: PyIcebergWriter, tables: Tables, transform: Transform[Any, Any], source: int
) -> None:
    spec = PartitionSpec(PartitionField(source, 1000, transform, "p"))
    name = tables.make(EVENTS, spec)
    texts = ["2026-01-02T03:00", "1969-12-31T23:59", None, "2026-01-02T04:00"]
    at = [datetime.fromisoformat(text) if text else None for text in texts]
    partners = ["acme", "a/b=c", None, "acme"]
    days = [date(2026, 1, 2), date(1969, 12, 31), None, date(2026, 1, 2)]
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array([1, -7, 3, 25]),
            pa.array(partners),
            pa.array(at, pa.timestamp("us")),
            pa.array(days),
        ],
        ["id", "partner", "at", "day"],
    )

    writer.append(name, [rows], columns=["id", "partner", "at", "day"])

    table = tables.open(name)
    column = EVENTS.find_field(source)
    of_one = transform.transform(column.field_type)
    values = rows.column(source - 1).to_pylist()
    expected = {repr(_physical(of_one(value))) for value in values}
    assert {repr(_physical(file.partition[0])) for file in data_files(table)} == expected
    assert sorted(row["id"] for row in tables.rows(name)) == [-7, 1, 3, 25]
    for value, number in zip(values, [1, -7, 3, 25], strict=True):
        if value is not None:
            text = value.isoformat() if isinstance(value, date) else value
            wanted = f"'{text}'" if not isinstance(value, int) else text
            found = table.scan(row_filter=f"{column.name} = {wanted}").to_arrow()
            assert number in found["id"].to_pylist()


def _physical(value: Any) -> Any:
    return (value - date(1970, 1, 1)).days if isinstance(value, date) else value


@pytest.mark.parametrize(
    ("kind", "values", "transforms"),
    [
        (
            TimestamptzType(),
            pa.array([0, -1, 1_767_312_000_000_000, None], pa.timestamp("us", "UTC")),
            [YearTransform(), MonthTransform(), DayTransform(), HourTransform(), BUCKETS],
        ),
        (
            DateType(),
            pa.array([0, -1, 20000, None], pa.int32()).cast(pa.date32()),
            [YearTransform(), MonthTransform(), DayTransform(), BUCKETS],
        ),
        (
            DecimalType(9, 2),
            pa.array([Decimal("1.25"), Decimal("-3.07"), None], pa.decimal128(9, 2)),
            [TruncateTransform(width=50), BUCKETS, IdentityTransform()],
        ),
        (
            IntegerType(),
            pa.array([1, -1, -11, None], pa.int32()),
            [TruncateTransform(width=10), BUCKETS],
        ),
    ],
    ids=str,
)  # fmt: skip
def test_a_transform_by_the_column_is_that_of_its_values(
    kind: Any, values: Any, transforms: list[Transform[Any, Any]]
) -> None:
    schema = Schema(NestedField(1, "a", kind))
    rows = pa.RecordBatch.from_arrays([values], ["a"])
    for transform in transforms:
        found = partition_values(rows, PartitionField(1, 1000, transform, "p"), schema)
        of_one = transform.transform(kind)
        expected = [None if v is None else of_one(v) for v in values.to_pylist()]
        assert [_physical(v) for v in found.to_pylist()] == [_physical(v) for v in expected]


def test_more_partitions_than_athena_writes_are_refused(
    writer: PyIcebergWriter, tables: Tables, weed: Weed, bucket: str
) -> None:
    name = tables.make(SIMPLE, PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "id")))

    with pytest.raises(QueryError, match="100 open writers"):
        writer.append(name, [batch(list(range(101)))], columns=["id", "said"])

    assert keys(weed, bucket, name, "data/") == set()


# -- overwrite ---------------------------------------------------------------------------------
def test_files_are_replaced_by_rows(writer: PyIcebergWriter, tables: Tables) -> None:
    name = tables.make(SIMPLE)
    fill(writer, name, [1, 2], [3, 4])
    before = tables.open(name)
    gone = next(f for f in data_files(before) if f.lower_bounds[1] == (1).to_bytes(8, "little"))

    written = writer.overwrite_files(
        name,
        removed=[gone.file_path],
        batches=[batch([2], ["changed"])],
        columns=["id", "said"],
        snapshot_id=current(tables, name),
        properties={"lakeveil.query-id": "q2"},
    )

    assert sorted((row["id"], row["said"]) for row in tables.rows(name)) == [
        (2, "changed"),
        (3, "3"),
        (4, "4"),
    ]
    after = tables.open(name).metadata.current_snapshot()
    assert after is not None
    assert after.summary is not None
    assert after.snapshot_id == written.snapshot_id
    assert after.summary["total-records"] == "3"
    assert after.summary["total-data-files"] == "2"
    assert after.summary["lakeveil.query-id"] == "q2"
    old = before.metadata.current_snapshot_id
    assert sorted(row["id"] for row in tables.rows(name, snapshot_id=old)) == [1, 2, 3, 4]


def test_all_rows_can_go(writer: PyIcebergWriter, tables: Tables) -> None:
    name = tables.make(SIMPLE)
    fill(writer, name, [1], [2])
    every = [file.file_path for file in data_files(tables.open(name))]

    written = writer.overwrite_files(
        name, removed=every, batches=[], columns=["id", "said"], snapshot_id=current(tables, name)
    )

    assert (written.files, written.rows) == ((), 0)
    assert tables.rows(name) == []
    fill(writer, name, [3])
    assert ids(tables, name) == [3]


def test_files_of_partitions_are_replaced_whatever_the_spec_was(
    writer: PyIcebergWriter, tables: Tables
) -> None:
    name = tables.make(SIMPLE, PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "id")))
    fill(writer, name, [1, 2])
    with tables.open(name).update_spec() as update:
        update.remove_field("id")
        update.add_field("said", BucketTransform(num_buckets=2), "b")
    fill(writer, name, [3])
    old = [f for f in data_files(tables.open(name)) if f.spec_id == 0]
    assert len(old) == 2

    writer.overwrite_files(
        name,
        removed=[old[0].file_path],
        batches=[batch([9])],
        columns=["id", "said"],
        snapshot_id=current(tables, name),
    )

    assert ids(tables, name) == sorted([9, 3, *({1, 2} - {old[0].partition[0]})])


@pytest.mark.parametrize("missing", [True, False])
def test_files_of_another_snapshot_are_a_conflict(
    writer: PyIcebergWriter, tables: Tables, weed: Weed, bucket: str, *, missing: bool
) -> None:
    name = tables.make(SIMPLE)
    fill(writer, name, [1])
    seen = current(tables, name)
    (file,) = data_files(tables.open(name))
    if not missing:
        fill(writer, name, [2])
    kept = keys(weed, bucket, name, "data/")

    with pytest.raises(QueryError) as refused:
        writer.overwrite_files(
            name,
            removed=[f"{file.file_path}x" if missing else file.file_path],
            batches=[batch([5])],
            columns=["id", "said"],
            snapshot_id=seen,
        )

    assert refused.value.failure.name is ErrorName.TRANSACTION_CONFLICT
    assert keys(weed, bucket, name, "data/") == kept


def test_a_commit_in_between_is_a_conflict_and_nothing_is_left(
    writer: PyIcebergWriter, tables: Tables, weed: Weed, bucket: str
) -> None:
    name = tables.make(SIMPLE)
    fill(writer, name, [1])
    (file,) = data_files(tables.open(name))

    def meanwhile() -> Iterator[Any]:
        yield batch([5])
        fill(writer, name, [2])

    with pytest.raises(QueryError) as refused:
        writer.overwrite_files(
            name,
            removed=[file.file_path],
            batches=meanwhile(),
            columns=["id", "said"],
            snapshot_id=current(tables, name),
        )

    assert refused.value.failure.name is ErrorName.TRANSACTION_CONFLICT
    assert ids(tables, name) == [1, 2]
    table = tables.open(name)
    named = {file.file_path for file in data_files(table)}
    assert keys(weed, bucket, name, "data/") == named


def test_files_stay_when_nobody_knows_whether_they_were_committed(
    writer: PyIcebergWriter, tables: Tables, weed: Weed, bucket: str, engine: sa.Engine
) -> None:
    name = tables.make(SIMPLE)
    refuse: list[bool] = []

    def fail(*_given: object) -> None:
        if refuse:
            raise sa.exc.OperationalError("COMMIT", {}, RuntimeError("the state is away"))

    sa.event.listen(engine, "commit", fail)

    def ready() -> Iterator[Any]:
        yield batch([1])
        refuse.append(True)

    with pytest.raises(Unavailable, match="not known"):
        writer.append(name, ready(), columns=["id", "said"])

    assert len(keys(weed, bucket, name, "data/")) == 1


# -- merge-on-read -----------------------------------------------------------------------------
def test_deletes_go_with_the_last_data_they_concern(
    writer: PyIcebergWriter, tables: Tables
) -> None:
    name = tables.make(SIMPLE)
    fill(writer, name, [1, 2], [3, 4])
    table = tables.open(name)
    one, two = data_files(table)
    add_deletes(
        table,
        position_deletes(table, [(one.file_path, 0), (two.file_path, 0)], like=one),
        equality_deletes(table, pa.table({"id": pa.array([4])}), [1], like=None),
    )

    def rewrite(path: str, rows: list[int]) -> None:
        writer.overwrite_files(
            name,
            removed=[path],
            batches=[batch(rows)] if rows else [],
            columns=["id", "said"],
            snapshot_id=current(tables, name),
        )

    rewrite(one.file_path, [20])
    assert len(delete_files(tables.open(name))) == 2
    rewrite(two.file_path, [])
    table = tables.open(name)

    assert delete_files(table) == []
    assert ids(tables, name) == [20]
    snapshot = table.metadata.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert snapshot.summary["total-delete-files"] == "0"
    assert snapshot.summary["total-records"] == "1"
    fill(writer, name, [4])
    assert ids(tables, name) == [4, 20]


def test_deletes_of_another_partition_stay(writer: PyIcebergWriter, tables: Tables) -> None:
    name = tables.make(SIMPLE, PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "said")))
    for part in ("a", "b"):
        writer.append(name, [batch([1, 2], [part, part])], columns=["id", "said"])
    table = tables.open(name)
    files = {file.partition[0]: file for file in data_files(table)}
    add_deletes(
        table,
        position_deletes(table, [(files["a"].file_path, 0)], like=files["a"]),
        position_deletes(table, [(files["b"].file_path, 1)], like=files["b"]),
    )

    writer.overwrite_files(
        name,
        removed=[files["a"].file_path],
        batches=[],
        columns=["id", "said"],
        snapshot_id=current(tables, name),
    )

    (left,) = delete_files(tables.open(name))
    assert left.partition[0] == "b"
    assert tables.rows(name) == [{"id": 1, "said": "b"}]


# -- expire ------------------------------------------------------------------------------------
def test_snapshots_are_forgotten_with_the_files_that_only_they_need(
    writer: PyIcebergWriter, tables: Tables, weed: Weed, bucket: str
) -> None:
    name = tables.make(SIMPLE)
    fill(writer, name, [1], [2])
    old = data_files(tables.open(name))
    writer.overwrite_files(
        name,
        removed=[file.file_path for file in old],
        batches=[batch([1, 2])],
        columns=["id", "said"],
        snapshot_id=current(tables, name),
    )

    found = writer.expire(name, older_than=LATER)

    assert found.snapshots == 2
    assert found.files >= 4
    table = tables.open(name)
    assert len(table.metadata.snapshots) == 1
    assert ids(tables, name) == [1, 2]
    assert keys(weed, bucket, name, "data/") == {file.file_path for file in data_files(table)}
    fill(writer, name, [3])
    assert ids(tables, name) == [1, 2, 3]


def test_what_is_young_named_or_among_the_newest_is_kept(
    writer: PyIcebergWriter, tables: Tables
) -> None:
    name = tables.make(SIMPLE)
    fill(writer, name, [1], [2], [3], [4])
    first = tables.open(name).metadata.snapshots[0].snapshot_id
    with tables.open(name).manage_snapshots() as manage:
        manage.create_tag(first, "audit")

    assert writer.expire(name, older_than=0.0).snapshots == 0
    assert writer.expire(name, older_than=LATER, keep=2).snapshots == 1

    kept = tables.open(name).metadata.snapshots
    assert len(kept) == 3
    assert [row["id"] for row in tables.rows(name, snapshot_id=first)] == [1]


def test_files_that_nobody_named_go_when_they_are_old_and_no_sooner(
    tables: Tables, weed: Weed, bucket: str
) -> None:
    s3 = weed.s3()
    name = tables.make(SIMPLE)
    now = datetime.now(UTC).timestamp()
    young = PyIcebergWriter(tables.catalog, s3, clock=ManualClock(now))
    fill(young, name, [1])
    folder = f"{name.table}/data"
    for key in (f"{folder}/lost.parquet", f"{folder}/other/data/x", f"{name.table}/notes.txt"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.put_object(Bucket=bucket, Key=f"{name.table}-neighbour/data/y", Body=b"x")

    assert young.expire(name, older_than=now + 60).files == 0
    aged = PyIcebergWriter(tables.catalog, s3, clock=ManualClock(now + 4 * 24 * 3600))
    found = aged.expire(name, older_than=now + 60, besides=[f"s3://{bucket}/{folder}/other"])

    assert found.files == 1
    left = keys(weed, bucket, name)
    assert f"s3://{bucket}/{folder}/lost.parquet" not in left
    assert f"s3://{bucket}/{folder}/other/data/x" in left
    assert f"s3://{bucket}/{name.table}/notes.txt" in left
    assert s3.head_object(Bucket=bucket, Key=f"{name.table}-neighbour/data/y")
    assert ids(tables, name) == [1]


def test_a_file_outside_of_the_tables_location_is_never_removed(
    writer: PyIcebergWriter, tables: Tables, weed: Weed, bucket: str
) -> None:
    name = tables.make(SIMPLE)
    fill(writer, name, [1])
    (own,) = data_files(tables.open(name))
    key = own.file_path.removeprefix(f"s3://{bucket}/")
    other = f"elsewhere-{name.table}/x.parquet"
    weed.s3().copy_object(Bucket=bucket, Key=other, CopySource={"Bucket": bucket, "Key": key})
    import pyiceberg.io.pyarrow as _arrow

    table = tables.open(name)
    files = _arrow.parquet_files_to_data_files(
        table.io, table.metadata, iter([f"s3://{bucket}/{other}"])
    )
    with table.transaction() as transaction, transaction.update_snapshot().fast_append() as more:
        for file in files:
            more.append_data_file(file)
    writer.overwrite_files(
        name,
        removed=[file.file_path for file in data_files(tables.open(name))],
        batches=[batch([7])],
        columns=["id", "said"],
        snapshot_id=current(tables, name),
    )

    writer.expire(name, older_than=LATER)

    assert weed.s3().head_object(Bucket=bucket, Key=other)
    assert own.file_path not in keys(weed, bucket, name, "data/")


def test_nothing_is_removed_when_what_is_left_cannot_be_read(
    writer: PyIcebergWriter, tables: Tables, weed: Weed, bucket: str
) -> None:
    name = tables.make(SIMPLE)
    fill(writer, name, [1], [2])
    kept = keys(weed, bucket, name, "data/")
    snapshot = tables.open(name).metadata.current_snapshot()
    assert snapshot is not None
    tables.open(name).io.delete(snapshot.manifest_list)

    with pytest.raises(QueryError, match="gone from the store"):
        writer.expire(name, older_than=LATER)

    assert keys(weed, bucket, name, "data/") == kept
