"""Writing one object as a stream, of any size, in bounded memory: all of it, or nothing.

Up to `PART` bytes go in one request, more in a multi-part upload, of which nothing is seen before
it is complete. Whoever raises inside the context, or is killed, leaves no object.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lakeveil.errors import LakeveilError, NotFound, Refused, Unavailable

PART = 5 * 2**20
"""Bytes; S3 takes no smaller ones. There may be 10,000 of them."""
LARGE_PART = 64 * 2**20
_LARGE_FROM = 4_000
"""Parts after which they become larger, so that an object may have 400 GB."""

_REFUSED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


class Upload(io.RawIOBase):
    """One object on its way; a file that can be written. `size` are the bytes so far."""

    def __init__(self, s3: Any, location: str, *, content_type: str) -> None:
        super().__init__()
        self.location = location
        self.size = 0
        self._s3 = s3
        self._bucket, self._key = split(location)
        self._content_type = content_type
        self._held = bytearray()
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._over = False

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Bytes so far."""
        return self.size

    def write(self, data: Any) -> int:
        """Take bytes; a part of them may leave now.

        Raises:
            Unavailable, Refused, NotFound: the store's answer.
        """
        length = memoryview(data).nbytes
        self._held += data
        self.size += length
        while len(self._held) > self._part_size:
            self._send(bytes(self._held[: self._part_size]))
            del self._held[: self._part_size]
        return length

    def finish(self) -> None:
        """Let the object be seen.

        Raises:
            Unavailable, Refused, NotFound: the store's answer; it is not there then.
        """
        if self._over:
            return
        whole = {"Bucket": self._bucket, "Key": self._key}
        if self._upload is None:
            with store_answers(self.location):
                self._s3.put_object(**whole, Body=bytes(self._held), ContentType=self._content_type)
        else:
            if self._held:
                self._send(bytes(self._held))
            with store_answers(self.location):
                self._s3.complete_multipart_upload(
                    **whole, UploadId=self._upload, MultipartUpload={"Parts": self._parts}
                )
        self._over = True
        self._held.clear()

    def abort(self) -> None:
        """Leave nothing. After `finish` it does nothing."""
        if self._over:
            return
        self._over = True
        self._held.clear()
        if self._upload is not None:
            # The store forgets parts that were never completed, by its own rules.
            with suppress(BotoCoreError, ClientError):
                self._s3.abort_multipart_upload(
                    Bucket=self._bucket, Key=self._key, UploadId=self._upload
                )

    @property
    def _part_size(self) -> int:
        return PART if len(self._parts) < _LARGE_FROM else LARGE_PART

    def _send(self, part: bytes) -> None:
        whole = {"Bucket": self._bucket, "Key": self._key}
        with store_answers(self.location):
            if self._upload is None:
                made = self._s3.create_multipart_upload(**whole, ContentType=self._content_type)
                self._upload = made["UploadId"]
            number = len(self._parts) + 1
            sent = self._s3.upload_part(
                **whole, UploadId=self._upload, PartNumber=number, Body=part
            )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})


@contextmanager
def uploading(s3: Any, location: str, *, content_type: str) -> Iterator[Upload]:
    """An object that is there once the context ends well, and never otherwise."""
    upload = Upload(s3, location, content_type=content_type)
    try:
        yield upload
        upload.finish()
    finally:
        upload.abort()


def split(location: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    if not location.startswith("s3://") or not bucket or not key:
        raise ValueError("a location of an object is s3://bucket/key")
    return bucket, key


@contextmanager
def store_answers(location: str) -> Iterator[None]:
    """What the store says of a location, as errors of ours."""
    try:
        yield
    except ClientError as error:
        raise _said(error.response["Error"].get("Code", ""), location) from error
    except BotoCoreError as error:
        raise _said("", location) from error


def _said(code: str, location: str) -> LakeveilError:
    if code in {"NoSuchBucket", "NoSuchKey", "NoSuchUpload", "404"}:
        return NotFound(
            f"`{location}` is not there",
            why="it, or its bucket, was removed",
            fix="make the bucket, or name another",
        )
    if code in _REFUSED:
        return Refused(
            "the object store refuses the service's key",
            why=f"it has no right to `{location}`",
            fix="let it read and write there",
        )
    return Unavailable(
        "the object store did not answer", why="it is away or overloaded", fix="try again"
    )
