"""Forgetting the past of an Iceberg table: which snapshots go, and which files with them.

A file goes only when every snapshot that is left has been read, and none of them names it. What an
expired snapshot named goes at once; what nobody ever named (a writer that died) only when it is
old, as it may belong to a statement that is about to commit. Files outside of the table's own
location are nobody's to remove here, nor those of tables that lie inside it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from pyiceberg.io import FileIO
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot, ancestors_of

from lakeveil.adapters.s3_upload import store_answers
from lakeveil.core.access.locations import is_under, normalised

ORPHAN_AGE_S = 3 * 24 * 3600.0
"""A file that nothing names and that is younger may be part of a commit to come."""

_SCHEME = re.compile(r"^s3[an]://", re.IGNORECASE)


def expiring(metadata: TableMetadata, *, older_than: float, keep: int) -> list[int]:
    """Ids of snapshots that may be forgotten."""
    kept = {ref.snapshot_id for ref in metadata.refs.values()}
    current = metadata.current_snapshot()
    if current is not None:
        newest = [s.snapshot_id for s in ancestors_of(current, metadata)]
        kept |= set(newest[: max(1, keep)])
    return [
        snapshot.snapshot_id
        for snapshot in metadata.snapshots
        if snapshot.timestamp_ms < older_than * 1000 and snapshot.snapshot_id not in kept
    ]


def files_of(snapshots: Collection[Snapshot], io: FileIO) -> set[str]:
    """All that snapshots name: manifest lists, manifests, data, deletes."""
    found: set[str] = set()
    read: set[str] = set()
    for snapshot in snapshots:
        found.add(_plain(snapshot.manifest_list))
        for manifest in snapshot.manifests(io):
            if manifest.manifest_path in read:
                continue
            read.add(manifest.manifest_path)
            found.add(_plain(manifest.manifest_path))
            for entry in manifest.fetch_manifest_entry(io):
                found.add(_plain(entry.data_file.file_path))
    return found


def metadata_files(table: Table) -> set[str]:
    """What the metadata itself names: its own file, those before it, statistics."""
    metadata = table.metadata
    found = {table.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)}
    found |= {one.statistics_path for one in metadata.statistics}
    found |= {one.statistics_path for one in metadata.partition_statistics}
    return {_plain(one) for one in found}


def removable(files: Collection[str], location: str, *, besides: Collection[str]) -> Iterator[str]:
    """Of some files those that lie below a table's location and below no other table's."""
    for file in files:
        if is_under(file, location) and not any(is_under(file, other) for other in besides):
            yield file


def orphans(s3: Any, location: str, named: Collection[str], *, before: float) -> Iterator[str]:
    """Objects in a table's own directories that nothing names and that are from before a time."""
    bucket, _, prefix = normalised(location).removeprefix("s3://").partition("/")
    if not prefix:
        return
    for directory in ("data", "metadata"):
        with store_answers(location):
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=f"{prefix}/{directory}/"
            )
            for page in pages:
                for one in page.get("Contents", ()):
                    file = f"s3://{bucket}/{one['Key']}"
                    if one["LastModified"].timestamp() < before and file not in named:
                        yield file


def _plain(location: str) -> str:
    return _SCHEME.sub("s3://", location)
