"""What is fetched from the store: column chunks of what is shown and asked for, and no others.

By the plan of the query, and by the byte ranges that reach the store, against the chunks that the
files' footers name.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.presigned import S3Presigner
from lakeveil.adapters.object_store import StoreKey
from lakeveil.ports.engine import EngineRelation, ScanFile
from tests.engine.counting_proxy import Accesses, counting_proxy, overlap
from tests.engine.small_lake import SmallLake, ask, engine_spec, job, relation, scan
from tests.stack_fixture import Weed

ROWS, GROUP = 120_000, 20_000
TYPES = {"id": "bigint", "secret": "string", "price": "bigint", "other": "string", "end": "bigint"}


@dataclass(frozen=True)
class Fetching:
    """An engine behind a front that counts, and one file."""

    engine: DuckDBEngine
    accesses: Accesses
    file: ScanFile
    footer: pq.FileMetaData

    def chunks(self, column: str) -> list[range]:
        """Where a column lies in the file, row group by row group."""
        number = list(TYPES).index(column)
        found = []
        for group in range(self.footer.num_row_groups):
            chunk = self.footer.row_group(group).column(number)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            found.append(range(start, start + chunk.total_compressed_size))
        return found

    def fetched(self, sql: str, shown: EngineRelation) -> dict[str, list[int]]:
        """Run it in a fresh process; bytes that were fetched of each chunk, by column."""
        self.accesses.fetched.clear()
        ask(self.engine, job(sql, shown, binding=uuid.uuid4().hex))
        parts = self.accesses.of(self.file.location)
        return {name: [overlap(parts, chunk) for chunk in self.chunks(name)] for name in TYPES}


@pytest.fixture(scope="module")
def fetching(weed: Weed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fetching]:
    lake = SmallLake(weed)
    numbers = range(ROWS)
    table = pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "secret": [f"secret {n * 104729 % 1_000_003:06d}" for n in numbers],
            "price": pa.array([n * 7919 % 1_000_003 for n in numbers], pa.int64()),
            "other": [f"other {n * 15485863 % 1_000_003:06d}" for n in numbers],
            "end": pa.array(numbers, pa.int64()),
        }
    )
    body = io.BytesIO()
    pq.write_table(table, body, row_group_size=GROUP, compression="none", use_dictionary=False)
    footer = pq.ParquetFile(io.BytesIO(body.getvalue())).metadata
    file = lake.put("fetched.parquet", body.getvalue())
    key = weed.credentials.s3["admin"]
    with counting_proxy(weed.ports.s3) as accesses:
        lake.presign = S3Presigner(
            accesses.endpoint,
            key=StoreKey(key.access_key_id, key.secret_access_key),
            region="us-east-1",
        )
        directory: Path = tmp_path_factory.mktemp("fetching")
        with DuckDBEngine(engine_spec(lake, directory), presign=lake.presign) as engine:
            yield Fetching(engine, accesses, file, footer)


def _shown(fetching: Fetching, **how: str) -> EngineRelation:
    """All but `secret`."""
    return relation(
        scan(TYPES, fetching.file), columns=[name for name in TYPES if name != "secret"], **how
    )


def test_only_chunks_of_the_columns_that_are_asked_for_are_fetched(fetching: Fetching) -> None:
    found = fetching.fetched("SELECT sum(price) FROM r0", _shown(fetching))
    assert found["price"] == [len(chunk) for chunk in fetching.chunks("price")]
    for name in ("id", "secret", "other"):
        assert sum(found[name]) == 0, name


def test_nothing_of_a_hidden_column_is_fetched_whatever_is_asked(fetching: Fetching) -> None:
    found = fetching.fetched("SELECT * FROM r0", _shown(fetching))
    assert sum(found["secret"]) == 0
    for name in ("id", "price", "other", "end"):
        assert found[name] == [len(chunk) for chunk in fetching.chunks(name)], name


def test_row_groups_that_a_filter_rules_out_are_not_fetched(fetching: Fetching) -> None:
    sql = f"SELECT sum(price) FROM r0 WHERE id < {GROUP}"
    found = fetching.fetched(sql, _shown(fetching))
    for name in ("id", "price"):
        first, *rest = found[name]
        assert first == len(fetching.chunks(name)[0]), name
        assert rest == [0] * len(rest), name
    assert sum(found["secret"]) + sum(found["other"]) == 0


def test_a_row_filter_is_a_filter_too_and_its_column_alone_is_fetched_besides(
    fetching: Fetching,
) -> None:
    shown = _shown(fetching, where=f'"id" < {2 * GROUP}')
    found = fetching.fetched("SELECT sum(price) FROM r0", shown)
    groups = [len(chunk) for chunk in fetching.chunks("price")]
    assert found["price"] == [*groups[:2], *([0] * (len(groups) - 2))]
    assert sum(found["secret"]) + sum(found["other"]) == 0


def test_a_bare_count_fetches_no_chunk_at_all(fetching: Fetching) -> None:
    found = fetching.fetched("SELECT count(*) FROM r0", _shown(fetching))
    assert {name: sum(bytes_) for name, bytes_ in found.items() if name != "end"} == {
        name: 0 for name in TYPES if name != "end"
    }


def test_projections_and_filters_stand_in_the_plan_of_the_scan(fetching: Fetching) -> None:
    sql = f"EXPLAIN SELECT sum(price) FROM r0 WHERE id < {GROUP}"
    plan = str(ask(fetching.engine, job(sql, _shown(fetching))).table.to_pylist())
    scanned = plan[plan.index("READ_PARQUET") :]
    assert f"id<{GROUP}" in scanned
    assert "price" in scanned
    assert "secret" not in plan
    assert "other" not in plan
