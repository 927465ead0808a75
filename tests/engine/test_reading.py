"""Files become the rows of their table: deletes, evolution, partitions, formats, odd names."""

from __future__ import annotations

import datetime as dt
import gzip
from decimal import Decimal

import pyarrow as pa
import pytest

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.core.query.failures import QueryError
from lakeveil.ports.engine import EqualityDelete, FileGroup, ScanFormat
from tests.engine.small_lake import SmallLake, ask, job, relation, scan
from tests.stack_fixture import Weed


def test_a_query_sees_the_columns_rows_and_masks_of_its_view(
    lake: SmallLake, engine: DuckDBEngine
) -> None:
    file = lake.parquet("people.parquet", {"id": [1, 2, 3], "ip": ["a.1", "b.2", "c.3"]})
    people = relation(
        scan({"id": "bigint", "ip": "string"}, file),
        columns={"id": '"id"', "ip": 'left("ip", 1)'},
        where='"id" > 1',
    )
    found = ask(engine, job("SELECT id, ip FROM r0", people))
    assert found.rows == [(2, "b"), (3, "c")]
    assert found.table.schema.names == ["id", "ip"]
    assert found.statistics.rows == 2


def test_a_bare_count_needs_no_column(lake: SmallLake, engine: DuckDBEngine) -> None:
    file = lake.parquet("count.parquet", {"id": [1, 2, 3]})
    counted = relation(scan({"id": "bigint"}, file), columns=[], where='"id" <> 2')
    assert ask(engine, job("SELECT count(*) FROM r0", counted)).rows == [(2,)]


def test_a_table_without_files_has_no_rows_and_its_types(engine: DuckDBEngine) -> None:
    empty = relation(scan({"id": "bigint", "price": "decimal(12,2)"}))
    found = ask(engine, job("SELECT * FROM r0", empty))
    assert found.rows == []
    assert found.table.schema.types == [pa.int64(), pa.decimal128(12, 2)]


@pytest.mark.parametrize(
    "key",
    [
        "q?s3_endpoint=127.0.0.1:1.parquet",
        "a b%41.parquet",
        "st*r.parquet",
        "br[ab].parquet",
        "{a,b}.parquet",
        "a//b.parquet",
        "é+&=#'\".parquet",
        "day=2024-01-01/x.parquet",
    ],
)
def test_a_file_is_read_by_its_exact_name(lake: SmallLake, engine: DuckDBEngine, key: str) -> None:
    for decoy in ("q", "a bA.parquet", "star.parquet", "bra.parquet", "a/b.parquet", "a"):
        lake.parquet(decoy, {"k": ["decoy"]})
    file = lake.parquet(key, {"k": [key]})
    assert ask(engine, job("SELECT k FROM r0", relation(scan({"k": "string"}, file)))).rows == [
        (key,)
    ]


@pytest.mark.parametrize(
    "location", ["s3://b/x/../y", "s3://b/./y", "s3://b/", "file:///etc/passwd"]
)
def test_a_name_that_a_url_cannot_hold_is_refused(engine: DuckDBEngine, location: str) -> None:
    from lakeveil.ports.engine import ScanFile

    odd = relation(scan({"k": "string"}, ScanFile(location=location, size=1)))
    with (
        pytest.raises(QueryError, match="NOT_SUPPORTED"),
        engine.run(job("SELECT k FROM r0", odd)),
    ):
        pass


def test_a_version_is_read_though_a_newer_one_is_there(weed: Weed, engine: DuckDBEngine) -> None:
    versioned = SmallLake(weed, versioned=True)
    old = versioned.parquet("v.parquet", {"k": ["old"]})
    new = versioned.parquet("v.parquet", {"k": ["new"]})
    assert old.version != new.version
    sql = "SELECT k FROM r0"
    assert ask(engine, job(sql, relation(scan({"k": "string"}, old)))).rows == [("old",)]
    assert ask(engine, job(sql, relation(scan({"k": "string"}, new)))).rows == [("new",)]


def test_an_overwritten_object_is_noticed_by_a_warm_process(
    lake: SmallLake, engine: DuckDBEngine
) -> None:
    file = lake.parquet("again.parquet", {"k": ["before"]})
    same = relation(scan({"k": "string"}, file))
    assert ask(engine, job("SELECT k FROM r0", same)).rows == [("before",)]
    lake.parquet("again.parquet", {"k": ["afterwards, and longer"]})
    assert ask(engine, job("SELECT k FROM r0", same)).rows == [("afterwards, and longer",)]


def test_partitions_are_constants_of_the_tables_types(
    lake: SmallLake, engine: DuckDBEngine
) -> None:
    files = [lake.parquet(f"p{n}.parquet", {"id": [n]}) for n in range(3)]
    days: list[str | None] = ["2024-01-31", "2024-02-29", None]
    groups = [
        FileGroup(files=(file,), constants={"day": day, "n": str(number)})
        for number, (file, day) in enumerate(zip(files, days, strict=True))
    ]
    parts = relation(scan({"id": "bigint", "day": "date", "n": "int"}, *groups))
    found = ask(engine, job("SELECT id, day, n FROM r0", parts))
    assert found.rows == [
        (0, dt.date(2024, 1, 31), 0),
        (1, dt.date(2024, 2, 29), 1),
        (2, None, 2),
    ]
    february = ask(engine, job("SELECT id FROM r0 WHERE day >= DATE '2024-02-01'", parts))
    assert february.rows == [(1,)]


def test_schemas_evolve_renamed_missing_and_widened(lake: SmallLake, engine: DuckDBEngine) -> None:
    old = lake.parquet(
        "old.parquet",
        {
            "identifier": pa.array([1], pa.int32()),
            "price": pa.array([Decimal("1.5")], pa.decimal128(5, 1)),
        },
    )
    new = lake.parquet(
        "new.parquet",
        {
            "id": pa.array([2**40], pa.int64()),
            "price": pa.array([Decimal("2.50")], pa.decimal128(12, 2)),
            "note": ["n"],
        },
    )
    evolved = scan(
        {"id": "bigint", "price": "decimal(12,2)", "note": "string"},
        FileGroup(files=(old,), renamed={"id": "identifier"}, missing=frozenset({"note"})),
        FileGroup(files=(new,)),
    )
    found = ask(engine, job("SELECT id, price, note FROM r0", relation(evolved)))
    assert found.rows == [(1, Decimal("1.50"), None), (2**40, Decimal("2.50"), "n")]
    assert found.table.schema.types == [pa.int64(), pa.decimal128(12, 2), pa.string()]


def test_deleted_rows_are_gone(lake: SmallLake, engine: DuckDBEngine) -> None:
    one = lake.parquet("d1.parquet", {"id": list(range(5)), "k": ["a", "b", None, "d", "e"]})
    two = lake.parquet("d2.parquet", {"id": list(range(5, 10)), "k": ["a"] * 5})
    by_position = lake.parquet(
        "positions.parquet",
        {
            "file_path": [one.location, two.location, "s3://elsewhere/d1.parquet"],
            "pos": pa.array([0, 4, 1], pa.int64()),
        },
    )
    by_value = lake.parquet("values.parquet", {"was": pa.array([None, "d"], pa.string())})
    group = FileGroup(
        files=(one, two),
        position_deletes=(by_position,),
        deleted_rows={two.location: (0, 1), one.location: ()},
        equality_deletes=(EqualityDelete(file=by_value, columns=("k",), stored=("was",)),),
    )
    left = relation(scan({"id": "bigint", "k": "string"}, group))
    assert ask(engine, job("SELECT id FROM r0", left)).rows == [(1,), (4,), (7,), (8,)]
    assert ask(engine, job("SELECT count(*) FROM r0", left)).rows == [(4,)]


def test_csv_is_read_as_hive_reads_it(lake: SmallLake, engine: DuckDBEngine) -> None:
    plain = lake.put("a.csv", b"id|name|price\n1|anna|1.5\nx|\\N|2\n3|short\n")
    packed = lake.put("b.csv.gz", gzip.compress(b"id|name|price\n4|dora|4.25\n"))
    text = scan(
        {"id": "bigint", "name": "string", "price": "decimal(10,2)", "day": "date"},
        FileGroup(files=(plain, packed), constants={"day": "2024-01-01"}),
        kind=ScanFormat.CSV,
        options={"delimiter": "|", "header": "true", "null": "\\N"},
    )
    found = ask(
        engine, job("SELECT id, name, price FROM r0 WHERE day = '2024-01-01'", relation(text))
    )
    assert found.rows == [
        (1, "anna", Decimal("1.50")),
        (3, "short", None),
        (4, "dora", Decimal("4.25")),
        (None, None, Decimal("2.00")),
    ]


def test_json_lines_are_read_with_nested_types(lake: SmallLake, engine: DuckDBEngine) -> None:
    file = lake.put(
        "a.json", b'{"id": 1, "tags": ["a"], "place": {"x": 1.5}}\n{"id": 2, "more": 3}\n'
    )
    lines = scan(
        {"id": "bigint", "tags": "array<string>", "place": "struct<x:double>"},
        file,
        kind=ScanFormat.JSON,
    )
    found = ask(engine, job("SELECT id, tags[1], place.x FROM r0", relation(lines)))
    assert found.rows == [(1, "a", 1.5), (2, None, None)]


def test_compressed_text_that_is_not_read_is_refused(lake: SmallLake, engine: DuckDBEngine) -> None:
    file = lake.put("a.csv.bz2", b"")
    text = relation(scan({"id": "bigint"}, file, kind=ScanFormat.CSV))
    with (
        pytest.raises(QueryError, match="NOT_SUPPORTED"),
        engine.run(job("SELECT id FROM r0", text)),
    ):
        pass


def test_only_the_column_chunks_and_row_groups_that_are_needed_are_read(
    lake: SmallLake, engine: DuckDBEngine
) -> None:
    rows = 200_000
    file = lake.parquet(
        "wide.parquet",
        {
            "id": pa.array(range(rows), pa.int64()),
            "used": pa.array([n * 7919 % 1_000_003 for n in range(rows)], pa.int64()),
            "unused": pa.array([str(n * 104729 % 1_000_003) * 4 for n in range(rows)]),
        },
        row_group_size=20_000,
        compression="none",
        use_dictionary=False,
    )
    wide = relation(scan({"id": "bigint", "used": "bigint", "unused": "string"}, file))
    one = ask(engine, job("SELECT sum(used) FROM r0 WHERE id < 20000", wide, binding="w1"))
    column = ask(engine, job("SELECT sum(used) FROM r0", wide, binding="w2"))
    every = ask(engine, job("SELECT sum(used), max(unused) FROM r0", wide, binding="w3"))
    assert 20_000 * 16 <= one.statistics.scanned_bytes < 20_000 * 16 + 100_000
    assert rows * 8 <= column.statistics.scanned_bytes < rows * 8 + 100_000
    assert file.size * 0.6 < every.statistics.scanned_bytes <= file.size + 100_000


def test_projections_and_filters_reach_the_reader(lake: SmallLake, engine: DuckDBEngine) -> None:
    file = lake.parquet("plan.parquet", {"id": [1, 2], "x": [1.5, 2.5], "secret": ["s", "t"]})
    planned = relation(
        scan({"id": "bigint", "x": "double", "secret": "string"}, file),
        columns=["id", "x"],
        where="\"secret\" = 's'",
    )
    plan = ask(engine, job("EXPLAIN SELECT id FROM r0 WHERE x > 2", planned)).table.to_pylist()
    text = str(plan)
    assert "secret='s'" in text
    assert "x>2.0" in text
    assert "FILTER" not in text.replace("Filters", "")
