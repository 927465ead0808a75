"""Reading the footers of Parquet files that were listed: the end of each, some at a time.

A footer stands at the end of its file, behind it its length and `PAR1` (Parquet specification,
"File format"). What was listed is what is read: a file that changed since is a conflict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from lakeveil.adapters.s3_upload import split
from lakeveil.adapters.scanning.footers import Footer, Footers, parquet_schema
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import Unavailable
from lakeveil.ports.engine import ScanFile

AT_ONCE = 8
"""Below the number of connections that a boto3 client keeps."""
FIRST_READ = 64 * 2**10
"""Bytes: enough for the footers of most files."""
MAX_FOOTER_BYTES = 64 * 2**20

_MAGIC = b"PAR1"
_BEHIND = len(_MAGIC) + 4
_CHANGED = frozenset({"PreconditionFailed", "412", "NoSuchKey", "404", "InvalidRange", "416"})


class FooterReads:
    """Footers of files on one store, each read once. Thread-safe."""

    def __init__(self, s3: Any) -> None:
        """`s3` is a boto3 client with the service's key."""
        self._s3 = s3
        self._kept = Footers()

    def of(self, files: Sequence[ScanFile]) -> Iterator[tuple[ScanFile, Footer]]:
        """Each file with its footer, in order.

        Raises:
            QueryError: HIVE_BAD_DATA, one is no Parquet file; TRANSACTION_CONFLICT, it changed.
            Unavailable: the store is away.
        """
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            try:
                yield from zip(files, pool.map(self._footer, files), strict=True)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _footer(self, file: ScanFile) -> Footer:
        key = f"{file.location}\0{file.version}\0{file.etag}\0{file.size}"
        return self._kept.of(key, lambda: self._schema(file))

    def _schema(self, file: ScanFile) -> Any:
        tail = self._tail(file, min(file.size, FIRST_READ))
        length = int.from_bytes(tail[-_BEHIND : -len(_MAGIC)], "little")
        if tail[-len(_MAGIC) :] != _MAGIC or not 0 < length <= file.size - _BEHIND:
            raise _no_parquet()
        if length > MAX_FOOTER_BYTES:
            raise QueryError(ErrorName.NOT_SUPPORTED, "The footer of a Parquet file is too large.")
        if length + _BEHIND > len(tail):
            tail = self._tail(file, length + _BEHIND)
        try:
            return parquet_schema(pa.BufferReader(tail))
        except (pa.ArrowException, OSError) as error:
            # Arrow's own words hold parts of the file.
            raise _no_parquet() from error

    def _tail(self, file: ScanFile, size: int) -> bytes:
        bucket, key = split(file.location)
        asked = {"VersionId": file.version} if file.version else {}
        asked |= {"IfMatch": f'"{file.etag}"'} if file.etag else {}
        begin = file.size - size
        try:
            found = self._s3.get_object(
                Bucket=bucket, Key=key, Range=f"bytes={begin}-{file.size - 1}", **asked
            )
            read: bytes = found["Body"].read()
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"].get("Code") if isinstance(error, ClientError) else ""
            if code in _CHANGED:
                raise _changed() from error
            raise Unavailable(
                "the object store did not answer while a query was planned", fix="try again"
            ) from error
        if len(read) != size:
            raise _changed()
        return read


def _no_parquet() -> QueryError:
    return QueryError(ErrorName.HIVE_BAD_DATA, "A file of the table is no Parquet file.")


def _changed() -> QueryError:
    return QueryError(
        ErrorName.TRANSACTION_CONFLICT, "A file of the table changed meanwhile. Try again."
    )
