"""Results on a real object store: as Athena writes them, read back exactly and by the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeveil.adapters import results as module
from lakeveil.adapters.results import S3Results
from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.core.query.result_csv import csv_rows
from lakeveil.errors import NotFound, Unavailable, UsageError
from tests.stack_fixture import Weed

TWO = (ResultColumn("id", "bigint"), ResultColumn("said", "varchar"))


@pytest.fixture(scope="module")
def bucket(weed: Weed) -> str:
    return weed.new_bucket("results")


@pytest.fixture
def store(weed: Weed) -> S3Results:
    return S3Results(weed.s3())


def batch(ids: list[int | None], said: list[str | None]) -> Any:
    return pa.RecordBatch.from_arrays(
        [pa.array(ids, pa.int64()), pa.array(said, pa.string())], ["id", "said"]
    )


def body(weed: Weed, location: str) -> bytes:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    found: bytes = weed.s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    return found


def test_a_result_is_written_as_athena_writes_it(store: S3Results, weed: Weed, bucket: str) -> None:
    location = f"s3://{bucket}/a/one.csv"

    written = store.write(
        location, TWO, [batch([1, None], ["a,b", 'say "no"']), batch([3, 4], [None, "two\nlines"])]
    )

    text = body(weed, location)
    assert text == (b'"id","said"\n"1","a,b"\n,"say ""no"""\n"3",\n"4","two\nlines"\n')
    assert written == (len(text), 4)


def test_a_result_reads_back_with_null_and_the_empty_text_told_apart(
    store: S3Results, bucket: str
) -> None:
    location = f"s3://{bucket}/a/two.csv"
    store.write(location, TWO, [batch([1, None, 3], [None, "", 'x"\n,"y'])])

    assert store.page(location, start=0, limit=1000) == (
        [("id", "said"), ("1", None), (None, ""), ("3", 'x"\n,"y')],
        None,
    )


def test_a_result_of_one_column_of_nulls_has_as_many_rows_as_nulls(
    store: S3Results, bucket: str
) -> None:
    location = f"s3://{bucket}/a/nulls.csv"
    one = pa.RecordBatch.from_arrays([pa.array([None, None], pa.string())], ["n"])
    store.write(location, [ResultColumn("n", "varchar")], [one])

    assert store.page(location, start=0, limit=10) == ([("n",), (None,), (None,)], None)


def test_a_result_without_rows_has_the_names_of_its_columns(store: S3Results, bucket: str) -> None:
    location = f"s3://{bucket}/a/none.csv"

    assert store.write(location, TWO, []) == (len(b'"id","said"\n'), 0)
    assert store.page(location, start=0, limit=10) == ([("id", "said")], None)


def test_lines_of_a_statement_are_written_without_names(
    store: S3Results, weed: Weed, bucket: str
) -> None:
    location = f"s3://{bucket}/a/show.txt"

    store.write(location, TWO, [batch([1, 2], ['a "b"', None])], text=True)

    assert body(weed, location) == b'1\ta "b"\n2\t\n'
    assert store.page(location, start=0, limit=1) == ([('1\ta "b"',)], 8)
    assert store.page(location, start=8, limit=1) == ([("2\t",)], None)


def test_a_text_result_without_lines_has_no_rows(store: S3Results, bucket: str) -> None:
    location = f"s3://{bucket}/a/nothing.txt"
    store.write(location, TWO[:1], [], text=True)

    assert store.page(location, start=0, limit=10) == ([], None)


def test_pages_follow_each_other_without_a_gap(store: S3Results, bucket: str) -> None:
    location = f"s3://{bucket}/a/pages.csv"
    numbers = list(range(2500))
    store.write(location, TWO, [batch(list(numbers), [f'"{n}"\n' for n in numbers])])

    found: list[tuple[str | None, ...]] = []
    start: int | None = 0
    while start is not None:
        rows, start = store.page(location, start=start, limit=1000)
        assert len(rows) <= 1000
        found += rows

    assert found == [("id", "said"), *((str(n), f'"{n}"\n') for n in numbers)]


class Counting:
    """A client that remembers how many bytes were asked of it."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self.read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def get_object(self, **given: Any) -> Any:
        found = self._s3.get_object(**given)
        self.read += found["ContentLength"]
        return found


def test_a_page_does_not_read_the_whole_result(weed: Weed, bucket: str) -> None:
    location = f"s3://{bucket}/a/long.csv"
    s3 = Counting(weed.s3())
    store = S3Results(s3)
    many = batch(list(range(200_000)), ["x" * 40] * 200_000)
    size, _ = store.write(location, TWO, [many])

    rows, after = store.page(location, start=0, limit=1000)

    assert len(rows) == 1000
    assert after is not None
    assert s3.read < size / 20


def test_a_page_of_large_rows_is_shorter(
    store: S3Results, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_BYTES", 300_000)
    location = f"s3://{bucket}/a/large.csv"
    store.write(location, TWO, [batch(list(range(10)), ["x" * 200_000] * 10)])

    rows, after = store.page(location, start=0, limit=1000)

    assert 1 < len(rows) < 10
    rest, end = store.page(location, start=after or 0, limit=1)
    assert rest[0][0] == str(len(rows) - 1)
    assert end is not None


def test_a_row_beyond_all_measure_is_refused(
    store: S3Results, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ROW_BYTES", 150_000)
    location = f"s3://{bucket}/a/huge.csv"
    store.write(location, TWO, [batch([1], ["x" * 900_000])])

    with pytest.raises(UsageError, match="too large"):
        store.page(location, start=0, limit=10)


def test_a_large_result_arrives_in_parts(store: S3Results, weed: Weed, bucket: str) -> None:
    location = f"s3://{bucket}/a/parts.csv"
    part = batch(list(range(30_000)), ["é" * 150] * 30_000)

    size, rows = store.write(location, TWO, (part for _ in range(2)))

    text = body(weed, location)
    assert size == len(text) > 2 * 5 * 2**20
    assert rows == 60_000
    assert sum(1 for _ in csv_rows(text)) == 60_001


def test_no_object_is_left_when_the_batches_raise(
    store: S3Results, weed: Weed, bucket: str
) -> None:
    location = f"s3://{bucket}/failed/result.csv"

    def failing() -> Iterator[Any]:
        yield batch(list(range(60_000)), ["y" * 100] * 60_000)
        yield batch(list(range(60_000)), ["y" * 100] * 60_000)
        raise QueryError(ErrorName.DIVISION_BY_ZERO, "Division by zero")

    with pytest.raises(QueryError, match="Division by zero"):
        store.write(location, TWO, failing())

    s3 = weed.s3()
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="failed/")
    assert not s3.list_multipart_uploads(Bucket=bucket, Prefix="failed/").get("Uploads")


def test_a_result_that_was_removed_is_not_found(store: S3Results, bucket: str) -> None:
    with pytest.raises(NotFound, match="result is gone"):
        store.page(f"s3://{bucket}/a/never.csv", start=0, limit=10)


def test_a_bucket_that_is_not_there_is_said(store: S3Results) -> None:
    with pytest.raises(NotFound, match="not there"):
        store.write("s3://no-such-bucket-at-all/x.csv", TWO, [])


def test_a_place_where_no_row_begins_is_refused(store: S3Results, bucket: str) -> None:
    location = f"s3://{bucket}/a/places.csv"
    store.write(location, TWO, [batch([1], ["abc"])])

    for start in (1, 7, 10_000):
        with pytest.raises(UsageError, match="no page of the result"):
            store.page(location, start=start, limit=10)


def test_a_store_that_is_away_is_unavailable(weed: Weed) -> None:
    from lakeveil.adapters.seaweedfs import s3_client
    from tests.stack_fixture import free_ports

    (port,) = free_ports(1)
    away = S3Results(s3_client(port, weed.credentials.s3["admin"], timeout_s=0.5))

    with pytest.raises(Unavailable):
        away.page("s3://b/k.csv", start=0, limit=1)
    with pytest.raises(Unavailable):
        away.write("s3://b/k.csv", TWO, [])


def test_a_manifest_has_a_location_a_line(store: S3Results, weed: Weed, bucket: str) -> None:
    location = f"s3://{bucket}/a/one-manifest.csv"

    store.write_manifest(location, ["s3://lake/a", "s3://lake/b"])

    assert body(weed, location) == b"s3://lake/a\ns3://lake/b\n"


rows_of_two = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))),
    ),
    max_size=20,
)


@settings(max_examples=20)
@given(rows=rows_of_two, limit=st.integers(1, 7))
def test_any_result_reads_back_as_it_was(
    weed: Weed, bucket: str, rows: list[tuple[int | None, str | None]], limit: int
) -> None:
    store = S3Results(weed.s3())
    location = f"s3://{bucket}/a/any.csv"
    store.write(location, TWO, [batch([n for n, _ in rows], [text for _, text in rows])])

    found: list[tuple[str | None, ...]] = []
    start: int | None = 0
    while start is not None:
        page, start = store.page(location, start=start, limit=limit)
        found += page

    assert found[1:] == [(None if n is None else str(n), text) for n, text in rows]
