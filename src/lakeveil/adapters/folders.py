"""The folders of a store: common prefixes of keys, level by level.

As Hive has it, one whose name begins with `_` or `.` is hidden, and so is what lies in it.
"""

from __future__ import annotations

from typing import Any

from lakeveil.adapters.s3_upload import split, store_answers
from lakeveil.errors import UsageError


class S3Folders:
    """`Folders` on S3. Thread-safe. `s3` is a boto3 client with the service's key."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def folders(self, location: str, *, depth: int, most: int) -> list[str]:
        """See `Folders`."""
        bucket, path = split(f"{location.rstrip('/')}/")
        level = [path]
        for _ in range(depth):
            level = [inner for folder in level for inner in self._inside(bucket, folder)]
            if len(level) > most:
                raise UsageError(
                    f"there are more than {most} folders below {location}",
                    why="that many partitions at once would take too long",
                    fix="add partitions by ALTER TABLE, some at a time",
                )
        return [folder.removeprefix(path).rstrip("/") for folder in level]

    def _inside(self, bucket: str, folder: str) -> list[str]:
        found: list[str] = []
        with store_answers(f"s3://{bucket}/{folder}"):
            pages = self._s3.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=bucket, Prefix=folder, Delimiter="/"):
                found += [one["Prefix"] for one in page.get("CommonPrefixes", ())]
        return [one for one in found if not _is_hidden(one)]


def _is_hidden(folder: str) -> bool:
    # What a writer has under way lies in such, and is no partition yet.
    return folder.rstrip("/").rpartition("/")[2].startswith(("_", "."))
