"""A fuzzer's worlds in a bucket, and its queries through the real engine."""

from __future__ import annotations

import io
import random
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.pool import EngineSpec
from lakeveil.adapters.engine.presigned import S3Presigner
from lakeveil.adapters.object_store import StoreKey
from lakeveil.core.query.failures import QueryError
from lakeveil.ports.engine import EngineJob, ScanFile
from lakeveil.sql.relations import CheckedQuery
from tests.hostile.attempts import Outcome
from tests.hostile.decided import Stored
from tests.hostile.fuzz import Campaign, World, random_world
from tests.hostile.real_walls import LONG_S, limits, tuples
from tests.stack_fixture import Weed

_KINDS: Mapping[str, pa.DataType] = {
    "bigint": pa.int64(),
    "string": pa.string(),
    "date": pa.date32(),
    "array<string>": pa.list_(pa.string()),
}


class EngineWorld:
    """A running engine. Use as a context manager."""

    def __init__(self, weed: Weed, directory: Path) -> None:
        key = weed.credentials.s3["admin"]
        presign = S3Presigner(
            weed.endpoint,
            key=StoreKey(key.access_key_id, key.secret_access_key),
            region="us-east-1",
        )
        self._s3 = weed.s3()
        self._bucket = weed.new_bucket("fuzz")
        spec = EngineSpec(directory=directory, port=presign.port)
        self._engine = DuckDBEngine(spec, presign=presign)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def go(self, campaign: Campaign, *, worlds: int, a_world: int) -> None:
        """Queries of a campaign, run by the engine."""
        for number in range(worlds):
            world = random_world(random.Random(f"{campaign.seed}/{number}"))
            files = {one.table.name.table: self._stored(one, number) for one in world.lake.stored}
            run = partial(self._ran, world, files)
            for query in range(a_world):
                campaign.one(world, number, query, run)

    def _stored(self, one: Stored, number: int) -> ScanFile:
        schema = pa.schema([(c.name, _KINDS[c.type]) for c in one.table.columns])
        body = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([dict(row) for row in one.rows], schema=schema), body)
        key = f"{number}/{one.table.name.table}.parquet"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body.getvalue())
        return ScanFile(location=f"s3://{self._bucket}/{key}", size=len(body.getvalue()))

    def _ran(self, world: World, files: Mapping[str, ScanFile], checked: CheckedQuery) -> Outcome:
        relations = tuple(
            world.lake.engine_relation(used, [files[stored.table.name.table]])
            for used, stored in world.lake.used(checked)
        )
        job = EngineJob(
            id=uuid.uuid4().hex,
            binding="mallory",
            sql=checked.sql,
            relations=relations,
            limits=limits(LONG_S),
        )
        try:
            with self._engine.run(job) as running:
                rows: list[Any] = [row for one in running.batches() for row in tuples(one)]
                return Outcome(rows=rows)
        except QueryError as error:
            return Outcome(error=error.failure.name.name, words=str(error))
