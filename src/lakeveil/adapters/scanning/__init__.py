"""Finding the files that hold a table at one moment: Iceberg's by manifests, Hive's by listing.

Plans of Iceberg tables are kept by metadata file and snapshot, which never change. Hive-style
tables have no snapshots: what is listed when a query begins is what it reads.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from lakeveil.adapters.scanning.hive_files import HiveFiles
from lakeveil.adapters.scanning.iceberg_files import IcebergFiles
from lakeveil.ports.engine import Scan
from lakeveil.ports.lake import TableRecord

KEPT = 256
"""Plans of Iceberg tables."""

Partitions = Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]


class StorePlanner:
    """`ScanPlanner` over one object store. Thread-safe."""

    def __init__(self, *, iceberg: IcebergFiles, hive: HiveFiles) -> None:
        self._iceberg = iceberg
        self._hive = hive
        self._plans: OrderedDict[tuple[str, str, int | None, int | None], Scan] = OrderedDict()
        self._lock = threading.Lock()

    def plan(
        self,
        record: TableRecord,
        *,
        snapshot: int | None = None,
        timestamp_ms: int | None = None,
        partitions: Partitions | None = None,
    ) -> Scan:
        """See `ScanPlanner`."""
        if not record.metadata_location:
            return self._hive.plan(record, partitions or iter(()))
        key = (record.metadata_location, record.location, snapshot, timestamp_ms)
        with self._lock:
            if key in self._plans:
                self._plans.move_to_end(key)
                return self._plans[key]
        plan = self._iceberg.plan(
            record.metadata_location,
            location=record.location,
            snapshot=snapshot,
            timestamp_ms=timestamp_ms,
        )
        with self._lock:
            self._plans[key] = plan
            while len(self._plans) > KEPT:
                self._plans.popitem(last=False)
        return plan
