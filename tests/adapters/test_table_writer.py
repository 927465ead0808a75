"""Files of Hive-style tables on a real object store, read back by others: pyarrow and DuckDB."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.table_writer import S3TableWriter
from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import NotFound, UsageError
from tests.stack_fixture import Weed

NOW = 1_795_601_730.0
TWO = (ResultColumn("id", "bigint"), ResultColumn("said", "varchar"))
EVERY = (
    ResultColumn("b", "boolean"),
    ResultColumn("i", "integer"),
    ResultColumn("f", "double"),
    ResultColumn("d", "decimal(12,2)"),
    ResultColumn("day", "date"),
    ResultColumn("at", "timestamp"),
    ResultColumn("tags", "array(varchar)"),
    ResultColumn("counts", "map(varchar, bigint)"),
    ResultColumn("who", "row(name varchar, age integer)"),
)


@pytest.fixture(scope="module")
def one_bucket(weed: Weed) -> str:
    return weed.new_bucket("tables")


@pytest.fixture
def bucket(weed: Weed, one_bucket: str) -> Iterator[str]:
    # A store has room for few buckets: one is emptied again and again.
    yield one_bucket
    for key in keys(weed, one_bucket):
        weed.s3().delete_object(Bucket=one_bucket, Key=key)


@pytest.fixture
def writer(weed: Weed) -> S3TableWriter:
    return S3TableWriter(weed.s3(), clock=ManualClock(NOW))


def batch(ids: list[int | None], said: list[str | None]) -> Any:
    return pa.RecordBatch.from_arrays(
        [pa.array(ids, pa.int64()), pa.array(said, pa.string())], ["x", "y"]
    )


def every_type() -> Any:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001 - the type has no zone
    return pa.RecordBatch.from_arrays(
        [
            pa.array([True, None]),
            pa.array([7, None], pa.int32()),
            pa.array([1e10, None]),
            pa.array([Decimal("1.20"), None], pa.decimal128(12, 2)),
            pa.array([date(2026, 1, 2), None]),
            pa.array([at, None], pa.timestamp("us")),
            pa.array([["a", None], None], pa.list_(pa.string())),
            pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
            pa.array([{"name": "é\n", "age": 3}, None]),
        ],
        [column.name for column in EVERY],
    )


def body(weed: Weed, location: str) -> bytes:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    found: bytes = weed.s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    return found


def keys(weed: Weed, bucket: str) -> list[str]:
    return [one["Key"] for one in weed.s3().list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_parquet_holds_the_types_that_others_read(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    written = writer.write_files(f"s3://{bucket}/t", EVERY, [every_type()])

    (file,) = written.files
    found = pq.read_table(io.BytesIO(body(weed, file.location)))
    assert (written.rows, written.bytes) == (2, file.size) == (found.num_rows, file.size)
    assert found.schema.field("at").type == pa.timestamp("us")
    assert found.schema.field("d").type == pa.decimal128(12, 2)
    assert found.schema.field("i").type == pa.int32()
    first, second = found.to_pylist()
    assert first["at"] == datetime(2026, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001
    assert first["counts"] == [("k", 1)]
    assert first["who"] == {"name": "é\n", "age": 3}
    assert set(second.values()) == {None}


def test_names_of_files_are_those_that_athena_gives(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    writer.write_files(f"s3://{bucket}/t/", TWO, [batch([1], ["a"])])

    (key,) = keys(weed, bucket)
    assert re.fullmatch(r"t/20261125_101530_00001_[a-z0-9]{5}_[0-9a-f-]{36}", key)


@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", "none", ""])
def test_parquet_is_compressed_as_asked(
    writer: S3TableWriter, weed: Weed, bucket: str, compression: str
) -> None:
    written = writer.write_files(
        f"s3://{bucket}/t", TWO, [batch([1], ["a"])], compression=compression
    )

    chunk = pq.ParquetFile(io.BytesIO(body(weed, written.files[0].location))).metadata
    used = chunk.row_group(0).column(0).compression
    assert used == {"none": "UNCOMPRESSED", "": "GZIP"}.get(compression, compression.upper())


@pytest.mark.parametrize("compression", ["", "none", "snappy", "zstd"])
def test_orc_is_read_by_its_own_reader(
    writer: S3TableWriter, weed: Weed, bucket: str, compression: str
) -> None:
    written = writer.write_files(
        f"s3://{bucket}/t", EVERY, [every_type()], format="orc", compression=compression
    )

    found = orc.read_table(io.BytesIO(body(weed, written.files[0].location))).to_pylist()
    assert found[0]["d"] == Decimal("1.20")
    assert found[0]["at"] == datetime(2026, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001
    assert found[1]["tags"] is None


@pytest.mark.parametrize("compression", ["", "none", "zstd"])
def test_json_lines_are_read_back_with_their_types(
    writer: S3TableWriter, weed: Weed, bucket: str, tmp_path: Any, compression: str
) -> None:
    written = writer.write_files(
        f"s3://{bucket}/t", EVERY, [every_type()], format="json", compression=compression
    )

    (file,) = written.files
    ending = {"": ".gz", "none": "", "zstd": ".zst"}[compression]
    assert file.location.endswith(ending)
    path = tmp_path / f"one.json{ending}"
    path.write_bytes(body(weed, file.location))
    found = duckdb.sql(
        f"""SELECT * FROM read_json('{path}', format='newline_delimited', columns={{
        b:'BOOLEAN', i:'INTEGER', f:'DOUBLE', d:'DECIMAL(12,2)', day:'DATE', "at":'TIMESTAMP',
        tags:'VARCHAR[]', counts:'MAP(VARCHAR,BIGINT)', who:'STRUCT(name VARCHAR, age INTEGER)'
        }})"""
    ).fetchall()
    assert found == [
        (
            True, 7, 1e10, Decimal("1.20"), date(2026, 1, 2),
            datetime(2026, 1, 2, 3, 4, 5, 678901), ["a", None], {"k": 1},  # noqa: DTZ001
            {"name": "é\n", "age": 3},
        ),
        (None,) * 9,
    ]  # fmt: skip


def test_json_keeps_every_sign_of_a_text_and_every_digit_of_a_number(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    columns = (*TWO, ResultColumn("n", "decimal(38,3)"), ResultColumn("f", "double"))
    every_sign = "".join(map(chr, range(0x80))) + 'é"\\'
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array([2**53 + 1]),
            pa.array([every_sign]),
            pa.array([Decimal("12345678901234567890.123")], pa.decimal128(38, 3)),
            pa.array([float("nan")]),
        ],
        list("abcd"),
    )
    written = writer.write_files(
        f"s3://{bucket}/t", columns, [rows], format="json", compression="none"
    )

    (line,) = body(weed, written.files[0].location).decode().splitlines()
    assert json.loads(line) == {
        "id": 2**53 + 1,
        "said": every_sign,
        "n": "12345678901234567890.123",
        "f": "NaN",
    }


@pytest.mark.parametrize(
    ("form", "delimiter", "expected"),
    [
        ("csv", "", b'1,a "b"\n\\N,\n3,\\N\n'),
        ("csv", "|", b'1|a "b"\n\\N|\n3|\\N\n'),
        ("textfile", "", b'1\x01a "b"\n\\N\x01\n3\x01\\N\n'),
    ],
)
def test_text_tells_null_from_the_empty_text(
    writer: S3TableWriter, weed: Weed, bucket: str, *, form: str, delimiter: str, expected: bytes
) -> None:
    written = writer.write_files(
        f"s3://{bucket}/t",
        TWO,
        [batch([1, None, 3], ['a "b"', "", None])],
        format=form,
        compression="none",
        field_delimiter=delimiter,
    )

    assert body(weed, written.files[0].location) == expected


@pytest.mark.parametrize("value", ["a,b", "two\nlines", "\r", "\\N", "\x00"])
def test_a_value_that_text_cannot_hold_is_refused_and_nothing_left(
    writer: S3TableWriter, weed: Weed, bucket: str, value: str
) -> None:
    with pytest.raises(QueryError, match="'said' has values") as refused:
        writer.write_files(f"s3://{bucket}/t", TWO, [batch([1], [value])], format="csv")

    assert refused.value.failure.name is ErrorName.NOT_SUPPORTED
    assert keys(weed, bucket) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"format": "avro"}, "AVRO is not|avro is not"),
        ({"compression": "lzo"}, "lzo"),
        ({"format": "json", "compression": "snappy"}, "snappy"),
        ({"field_delimiter": ","}, "TEXTFILE alone"),
        ({"format": "csv", "field_delimiter": ",,"}, "one character"),
        ({"format": "csv", "field_delimiter": "\n"}, "one character"),
    ],
)
def test_what_is_not_written_is_refused(
    writer: S3TableWriter, bucket: str, given: dict[str, str], said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        writer.write_files(f"s3://{bucket}/t", TWO, [], **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "trino", ["timestamp(3) with time zone", "time", "interval day to second", "row(varchar)"]
)
def test_a_type_that_tables_cannot_have_is_refused(
    writer: S3TableWriter, bucket: str, trino: str
) -> None:
    with pytest.raises(QueryError, match="Unsupported Hive type"):
        writer.write_files(f"s3://{bucket}/t", [ResultColumn("a", trino)], [])


@pytest.mark.parametrize("form", ["csv", "json"])
def test_bytes_are_refused_where_there_is_no_spelling_of_them(
    writer: S3TableWriter, bucket: str, form: str
) -> None:
    rows = pa.RecordBatch.from_arrays([pa.array([b"a"])], ["a"])
    with pytest.raises(QueryError, match="cannot hold"):
        writer.write_files(
            f"s3://{bucket}/t", [ResultColumn("a", "varbinary")], [rows], format=form
        )


def test_partitions_become_directories_as_hive_spells_them(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    columns = (
        ResultColumn("n", "bigint"),
        ResultColumn("Day", "date"),
        ResultColumn("p", "varchar"),
    )
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array([1, 2, 3, 4]),
            pa.array([date(2026, 1, 2)] * 3 + [None]),
            pa.array(["a/b=c%", None, "a/b=c%", ""]),
        ],
        list("abc"),
    )

    written = writer.write_files(
        f"s3://{bucket}/t", columns, [rows, rows], partition_by=["day", "p"]
    )

    null = "__HIVE_DEFAULT_PARTITION__"
    found = {
        file.partition_values: (
            file.location.rpartition("/")[0],
            sorted(
                row["n"] for row in pq.read_table(io.BytesIO(body(weed, file.location))).to_pylist()
            ),
        )
        for file in written.files
    }
    assert found == {
        ("2026-01-02", "a/b=c%"): (
            f"s3://{bucket}/t/day=2026-01-02/p=a%2Fb%3Dc%25",
            [1, 1, 3, 3],
        ),
        ("2026-01-02", null): (f"s3://{bucket}/t/day=2026-01-02/p={null}", [2, 2]),
        (null, null): (f"s3://{bucket}/t/day={null}/p={null}", [4, 4]),
    }
    assert written.rows == 8


def test_more_partitions_than_athena_writes_are_refused_and_nothing_left(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    def batches() -> Iterator[Any]:
        for n in range(101):
            yield batch([n], [str(n)])

    with pytest.raises(QueryError, match="100 open writers"):
        writer.write_files(f"s3://{bucket}/t", TWO, batches(), partition_by=["said"])

    assert keys(weed, bucket) == []


def test_partition_columns_come_last(writer: S3TableWriter, bucket: str) -> None:
    with pytest.raises(QueryError, match="must be the last columns"):
        writer.write_files(f"s3://{bucket}/t", TWO, [], partition_by=["id"])
    with pytest.raises(QueryError, match="only partition columns"):
        writer.write_files(f"s3://{bucket}/t", TWO, [], partition_by=["id", "said"])
    with pytest.raises(QueryError, match="cannot be a partition key"):
        writer.write_files(
            f"s3://{bucket}/t", [*TWO, ResultColumn("a", "array(bigint)")], [], partition_by=["a"]
        )


@pytest.mark.parametrize(("names", "code"), [(["a", "A"], "DUPLICATE"), (["a", ""], "MISSING")])
def test_columns_of_a_table_have_names_of_their_own(
    writer: S3TableWriter, bucket: str, names: list[str], code: str
) -> None:
    with pytest.raises(QueryError, match=code):
        writer.write_files(f"s3://{bucket}/t", [ResultColumn(n, "bigint") for n in names], [])


def test_a_file_that_has_grown_is_followed_by_another(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    noise = [f"{n * 7919 % 1_000_003:x}" * 4 for n in range(130_000)]
    rows = batch(list(range(130_000)), list(noise))

    written = writer.write_files(
        f"s3://{bucket}/t", TWO, [rows] * 3, max_file_bytes=100_000, compression="none"
    )

    assert len(written.files) == 3
    assert written.rows == 390_000 == sum(file.rows for file in written.files)
    groups = pq.ParquetFile(io.BytesIO(body(weed, written.files[0].location))).num_row_groups
    assert groups == 1


def test_what_was_written_is_removed_when_the_batches_raise(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    rows = batch(list(range(130_000)), ["x"] * 130_000)

    def failing() -> Iterator[Any]:
        yield rows
        yield rows
        assert keys(weed, bucket), "a file is complete before the failure"
        raise QueryError(ErrorName.DIVISION_BY_ZERO, "Division by zero")

    with pytest.raises(QueryError, match="Division by zero"):
        writer.write_files(f"s3://{bucket}/t", TWO, failing(), max_file_bytes=1)

    assert keys(weed, bucket) == []


def test_a_value_that_does_not_fit_its_column_is_refused(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    with pytest.raises(QueryError, match="does not fit"):
        writer.write_files(
            f"s3://{bucket}/t", [ResultColumn("a", "tinyint"), TWO[1]], [batch([300], ["a"])]
        )
    assert keys(weed, bucket) == []


def test_a_column_of_a_type_without_a_cast_is_told_apart_from_a_value_that_does_not_fit(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    with pytest.raises(QueryError) as caught:
        writer.write_files(
            f"s3://{bucket}/t", [ResultColumn("a", "array(bigint)"), TWO[1]], [batch([1], ["a"])]
        )

    assert caught.value.failure.name is ErrorName.TYPE_MISMATCH
    assert keys(weed, bucket) == []


def test_rows_of_nothing_leave_no_file(writer: S3TableWriter, weed: Weed, bucket: str) -> None:
    written = writer.write_files(f"s3://{bucket}/t", TWO, [batch([], [])])

    assert (written.files, written.rows) == ((), 0)
    assert keys(weed, bucket) == []


def test_a_location_is_empty_until_something_lies_below_it(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    assert writer.is_empty(f"s3://{bucket}/t")
    weed.s3().put_object(Bucket=bucket, Key="t-neighbour/x", Body=b"x")
    weed.s3().put_object(Bucket=bucket, Key="t/", Body=b"")
    assert writer.is_empty(f"s3://{bucket}/t/")

    writer.write_files(f"s3://{bucket}/t", TWO, [batch([1], ["a"])])
    assert not writer.is_empty(f"s3://{bucket}/t")


def test_removing_a_location_leaves_its_neighbours(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    for key in ("t/a", "t/deep/b", "t-neighbour/x"):
        weed.s3().put_object(Bucket=bucket, Key=key, Body=b"x")

    assert writer.remove_under(f"s3://{bucket}/t") == 2
    assert keys(weed, bucket) == ["t-neighbour/x"]
    assert writer.remove_under(f"s3://{bucket}/t") == 0


@pytest.mark.parametrize("location", ["s3://{}", "s3://{}/", "s3://{}/a/../b", "file:///etc", ""])
def test_a_whole_bucket_is_never_removed(
    writer: S3TableWriter, weed: Weed, bucket: str, location: str
) -> None:
    weed.s3().put_object(Bucket=bucket, Key="kept", Body=b"x")

    with pytest.raises(UsageError):
        writer.remove_under(location.format(bucket))

    assert keys(weed, bucket) == ["kept"]


def test_removing_files_takes_those_that_are_gone_already(
    writer: S3TableWriter, weed: Weed, bucket: str
) -> None:
    for n in range(3):
        weed.s3().put_object(Bucket=bucket, Key=f"t/{n}", Body=b"x")

    writer.remove([f"s3://{bucket}/t/0", f"s3://{bucket}/t/1", f"s3://{bucket}/t/never"])

    assert keys(weed, bucket) == ["t/2"]


def test_a_bucket_that_is_not_there_is_said(writer: S3TableWriter) -> None:
    with pytest.raises(NotFound):
        writer.write_files("s3://no-such-bucket-here/t", TWO, [batch([1], ["a"])])
