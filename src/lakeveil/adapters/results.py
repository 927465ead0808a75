"""Results of queries on the object store: Athena's CSV, its text files, and manifests.

Written as a stream, batch by batch; read by ranges, so that a page costs as much as its rows and
not as its result. Who may read which result is decided before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from botocore.exceptions import BotoCoreError, ClientError

from lakeveil.adapters.arrow_json import json_lines
from lakeveil.adapters.arrow_text import in_lines, texts
from lakeveil.adapters.s3_upload import split, store_answers, uploading
from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.result_csv import Reader, Row, csv_rows, text_rows
from lakeveil.core.query.result_forms import JSON_LINES, TEXT
from lakeveil.errors import NotFound, UsageError

FIRST_READ = 128 * 2**10
"""Bytes that are read of a result at first; each further read of a page is twice the one before."""
LARGEST_READ = 8 * 2**20
PAGE_BYTES = 16 * 2**20
"""A page of about so many bytes is not added to."""
MAX_ROW_BYTES = 128 * 2**20
_ROWS_AT_ONCE = 32_768
_CSV, _TEXT_FILE = "text/csv; charset=utf-8", "text/plain; charset=utf-8"
_JSON = "application/x-ndjson"
_S = pa.large_string()


class S3Results:
    """`ResultStore` on S3. Thread-safe. `s3` is a boto3 client with the service's key."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def write(
        self,
        location: str,
        columns: Sequence[ResultColumn],
        batches: Iterable[Any],
        *,
        text: bool = False,
    ) -> tuple[int, int]:
        """See `ResultStore`."""
        rows = 0
        lines, kind = _form(location, text=text)
        with uploading(self._s3, location, content_type=kind) as upload:
            if kind == _CSV:
                upload.write(_names(columns))
            for batch in batches:
                rows += batch.num_rows
                for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                    upload.write(lines(batch.slice(start, _ROWS_AT_ONCE), columns))
        return upload.size, rows

    def write_manifest(self, location: str, files: Sequence[str]) -> None:
        """See `ResultStore`."""
        with uploading(self._s3, location, content_type=_CSV) as upload:
            upload.write("".join(f"{file}\n" for file in files).encode())

    def page(
        self, location: str, *, start: int, limit: int
    ) -> tuple[list[tuple[str | None, ...]], int | None]:
        """See `ResultStore`."""
        reader = text_rows if location.endswith((TEXT, JSON_LINES)) else csv_rows
        found: list[Row] = []
        data, begins, etag, size = b"", start, "", FIRST_READ
        while True:
            more, total, etag = self._range(location, begins + len(data), size, etag)
            data += more
            taken = _take(reader, data, found, limit, start)
            begins, data = begins + taken, data[taken:]
            if len(found) == limit or begins - start >= PAGE_BYTES:
                break
            if begins + len(data) >= total:
                if data:
                    raise _no_row(start)
                break
            if len(data) > MAX_ROW_BYTES:
                raise _too_large()
            size = min(2 * size, LARGEST_READ)
        return found, begins if begins < total else None

    def _range(self, location: str, start: int, size: int, etag: str) -> tuple[bytes, int, str]:
        """Bytes from a place on, how many there are in all, and of which object."""
        bucket, key = split(location)
        same = {"IfMatch": etag} if etag else {}
        try:
            found = self._s3.get_object(
                Bucket=bucket, Key=key, Range=f"bytes={start}-{start + size - 1}", **same
            )
            with found["Body"] as body:
                data: bytes = body.read()
        except ClientError as error:
            code = error.response["Error"].get("Code", "")
            if code in {"InvalidRange", "416", "RequestedRangeNotSatisfiable"}:
                if start == 0:
                    return b"", 0, etag
                raise _no_row(start) from error
            if code in {"NoSuchKey", "NoSuchBucket", "404", "412", "PreconditionFailed"}:
                raise _gone() from error
            with store_answers(location):
                raise
        except BotoCoreError:
            with store_answers(location):
                raise
        _, _, total = found.get("ContentRange", "").partition("/")
        return data, int(total) if total else len(data), found["ETag"]


def _take(reader: Reader, data: bytes, found: list[Row], limit: int, start: int) -> int:
    """Add complete rows to those found, up to the limit; how many bytes they took."""
    taken = 0
    try:
        for row, after in reader(data, 0):
            found.append(row)
            taken = after
            if len(found) == limit:
                break
    except ValueError as error:
        raise _no_row(start) from error
    return taken


def _form(
    location: str, *, text: bool
) -> tuple[Callable[[Any, Sequence[ResultColumn]], bytes], str]:
    """How a result's rows are written, and what they are as content."""
    if text:
        return _lines, _TEXT_FILE
    return (json_lines, _JSON) if location.endswith(JSON_LINES) else (_csv, _CSV)


def _names(columns: Sequence[ResultColumn]) -> bytes:
    names = (column.name.replace('"', '""') for column in columns)
    return (",".join(f'"{name}"' for name in names) + "\n").encode()


def _csv(batch: Any, columns: Sequence[ResultColumn]) -> bytes:
    return in_lines(
        [
            pc.fill_null(_quoted(texts(column, said.type)), "")
            for column, said in zip(batch.columns, columns, strict=True)
        ],
        ",",
    )


def _lines(batch: Any, columns: Sequence[ResultColumn]) -> bytes:
    return in_lines(
        [
            pc.fill_null(texts(column, said.type), "")
            for column, said in zip(batch.columns, columns, strict=True)
        ],
        "\t",
    )


def _quoted(column: Any) -> Any:
    if pc.any(pc.match_substring(column, '"')).as_py():
        column = pc.replace_substring(column, '"', '""')
    quote = pa.scalar('"', _S)
    return pc.binary_join_element_wise(quote, column, quote, pa.scalar("", _S))


def _gone() -> NotFound:
    return NotFound(
        "the query's result is gone",
        why="it was removed from its output location, or replaced",
        fix="run the query again",
        code="result_gone",
    )


def _too_large() -> UsageError:
    return UsageError(
        "a row of the result is too large for a page",
        why=f"it has more than {MAX_ROW_BYTES} bytes",
        fix="read the result itself",
        code="row_too_large",
    )


def _no_row(start: int) -> UsageError:
    return UsageError(
        f"no page of the result begins at {start}",
        why="the token belongs to another result, or the result was changed",
        fix="read it from its beginning",
        code="bad_page",
    )
