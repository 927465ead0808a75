"""All walls together: guard, governed views, and the real engine over a real store."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.pool import EngineSpec
from lakeveil.adapters.engine.presigned import S3Presigner
from lakeveil.adapters.object_store import StoreKey
from lakeveil.core.query.failures import QueryError
from lakeveil.ports.engine import EngineJob, EngineRelation, JobLimits, ScanFile
from lakeveil.sql.governed import governed_view
from tests.hostile.attempts import Outcome, Statement
from tests.hostile.canary_lake import PREFIX, arrow
from tests.hostile.decided import SALT, DecidedLake, scan_of
from tests.hostile.in_process import asked, plan
from tests.stack_fixture import Weed


class RealWalls:
    """A lake in a bucket, and an engine over it."""

    def __init__(self, lake: DecidedLake, weed: Weed, engine: DuckDBEngine) -> None:
        self.lake = lake
        self.engine = engine
        self.port = weed.ports.s3
        self.files: dict[str, ScanFile] = {}
        bucket = weed.new_bucket(PREFIX)
        for one in lake.stored:
            if one.view is None:
                body = io.BytesIO()
                pq.write_table(arrow(one), body)
                key = f"{PREFIX}/{one.table.name.table}.parquet"
                weed.s3().put_object(Bucket=bucket, Key=key, Body=body.getvalue())
                location = f"s3://{bucket}/{key}"
                size = len(body.getvalue())
                self.files[one.table.name.table] = ScanFile(location=location, size=size)

    @property
    def known(self) -> dict[str, str]:
        """What an attacker is taken to know: URLs that are good, of an allowed file and another."""
        urls = engine_urls(self)
        return {
            "{url}": urls["orders"],
            "{other}": urls["zz_out"],
            "{location}": self.files["orders"].location,
        }

    def all_walls(self, one: Statement, *, strict: bool = False) -> Outcome:
        """As the product does it. Plans of what may run come besides."""
        checked = asked(one, self.lake)
        if isinstance(checked, Outcome):
            return checked
        relations = tuple(
            self.lake.engine_relation(used, [self.files[stored.table.name.table]])
            for used, stored in self.lake.used(checked)
        )
        columns = tuple(column.name for column in checked.columns)
        besides = "\n".join(plan(checked))
        seconds = STOPPED_AFTER_S if one.stopped else LONG_S
        return self._ran(checked.sql, relations, columns, besides, strict=strict, seconds=seconds)

    @property
    def views(self) -> tuple[EngineRelation, ...]:
        """Views of all tables that `mallory` knows of, called as she calls them."""
        return tuple(
            EngineRelation(
                alias=stored.table.name.table,
                scan=scan_of(stored, [self.files[stored.table.name.table]]),
                view=governed_view(
                    self.lake.decision(stored),
                    [(c.name, c.type) for c in stored.table.columns],
                    salt=SALT,
                ),
            )
            for stored in self.lake.stored
            if stored.view is None and self.lake.decision(stored).shown()
        )

    def _ran(
        self,
        sql: str,
        relations: tuple[EngineRelation, ...],
        columns: tuple[str, ...],
        besides: str,
        *,
        strict: bool,
        seconds: float,
    ) -> Outcome:
        job = EngineJob(
            id=uuid.uuid4().hex,
            binding="mallory",
            sql=sql,
            relations=relations,
            limits=limits(seconds),
            strict=strict,
        )
        try:
            with self.engine.run(job) as running:
                names = columns or tuple(running.schema.names)
                rows = [row for batch in running.batches() for row in tuples(batch)]
                return Outcome(
                    rows=rows, columns=names, besides=f"{besides}\n{running.statistics()!r}"
                )
        except QueryError as error:
            return Outcome(error=error.failure.name.name, words=str(error), besides=besides)


LONG_S = 60.0
STOPPED_AFTER_S = 2.0
"""How long a statement may run that would never end."""


def limits(seconds: float) -> JobLimits:
    """Of one statement."""
    return JobLimits(seconds=seconds, memory_bytes=256 * 2**20, temporary_bytes=2**26)


def engine_urls(walls: RealWalls) -> dict[str, str]:
    """The very URLs that the engine uses: those it made before for longer jobs."""
    return {
        name: walls.engine._urls.url(file, seconds=2 * LONG_S) for name, file in walls.files.items()
    }


@contextmanager
def real_walls(lake: DecidedLake, weed: Weed, directory: Path) -> Iterator[RealWalls]:
    """All of it, running."""
    key = weed.credentials.s3["admin"]
    presign = S3Presigner(
        weed.endpoint, key=StoreKey(key.access_key_id, key.secret_access_key), region="us-east-1"
    )
    spec = EngineSpec(directory=directory, port=presign.port, fed_spares=1)
    with DuckDBEngine(spec, presign=presign) as engine:
        yield RealWalls(lake, weed, engine)


def tuples(batch: Any) -> list[tuple[Any, ...]]:
    """Rows of a batch."""
    columns = [column.to_pylist(maps_as_pydicts="strict") for column in batch.columns]
    return list(zip(*columns, strict=True)) if columns else [()] * batch.num_rows
