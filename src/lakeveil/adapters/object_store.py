"""The ObjectStore port on any S3-compatible store, through boto3.

Keys are passed as they are: S3 allows `a//b.jpg`, `./x` and `../x` as three different objects.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lakeveil.adapters.s3_client import s3_client_of
from lakeveil.core.photos import ObjectRef
from lakeveil.errors import BadPhoto, Conflict, NotFound, Refused, Unavailable
from lakeveil.ports import ObjectInfo

_ABSENT = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}
_CHANGED = {"412", "PreconditionFailed", "ConditionalRequestConflict", "409"}
_REFUSED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "401"}


@dataclass(frozen=True, slots=True)
class StoreKey:
    """The access key to speak to a store with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class S3ObjectStore:
    """S3, spoken with one access key. Thread-safe.

    `endpoint` None is Amazon S3 itself; `key` None leaves finding credentials to boto3's chain.
    """

    def __init__(
        self,
        endpoint: str | None,
        *,
        key: StoreKey | None,
        region: str,
        timeout_s: float,
        attempts: int = 3,
    ) -> None:
        self._endpoint = endpoint or "Amazon S3"
        self._s3 = s3_client_of(
            endpoint, key, region=region, timeout_s=timeout_s, attempts=attempts
        )

    def head(self, bucket: str, key: str) -> ObjectInfo | None:
        """The current version with its metadata, or None where there is none."""
        try:
            with self._mapped(f"s3://{bucket}/{key}"):
                found = self._s3.head_object(Bucket=bucket, Key=key)
        except NotFound:
            return None
        return ObjectInfo(
            bucket=bucket,
            key=key,
            size=found["ContentLength"],
            etag=found["ETag"].strip('"'),
            modified_at=found["LastModified"].timestamp(),
            version=_version(found),
            content_type=found.get("ContentType", ""),
            metadata=found.get("Metadata", {}),
        )

    def get(self, ref: ObjectRef, *, etag: str | None = None, limit_bytes: int) -> bytes:
        """The bytes of one exact version (by `ref.version`, or else by `etag`)."""
        exact: dict[str, str] = {}
        if ref.version is not None:
            exact["VersionId"] = ref.version
        if etag is not None:
            exact["IfMatch"] = f'"{etag}"'
        with self._mapped(str(ref)):
            found = self._s3.get_object(Bucket=ref.bucket, Key=ref.key, **exact)
            with found["Body"] as body:
                if found["ContentLength"] > limit_bytes:
                    raise BadPhoto(
                        f"{ref} is too large",
                        why=f"it has {found['ContentLength']:,} bytes, and the limit is "
                        f"{limit_bytes:,}",
                        fix="make it smaller, or raise limits.max_bytes",
                        code="file_too_large",
                    )
                data: bytes = body.read()
        return data

    def put(
        self,
        bucket: str,
        key: str,
        data: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str],
        if_absent: bool = False,
        if_etag: str | None = None,
    ) -> ObjectInfo:
        """Write an object whole."""
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        if if_etag is not None:
            condition = {"IfMatch": f'"{if_etag}"'}
        with self._mapped(f"s3://{bucket}/{key}"):
            try:
                written = self._s3.put_object(
                    Bucket=bucket,
                    Key=key,
                    Body=data,
                    ContentType=content_type,
                    Metadata=dict(metadata),
                    **condition,
                )
            except ClientError as error:
                # IfMatch over an object that is gone: 404, and for us the same as changed.
                if if_etag is not None and _code(error) in _ABSENT:
                    raise _conflict(f"s3://{bucket}/{key}") from error
                raise
        return ObjectInfo(
            bucket=bucket,
            key=key,
            size=len(data),
            etag=written["ETag"].strip('"'),
            modified_at=time.time(),
            version=_version(written),
            content_type=content_type,
            metadata=dict(metadata),
        )

    def delete(self, bucket: str, key: str, *, if_etag: str | None = None) -> None:
        """Remove the current version; nothing happens where there is none."""
        condition = {} if if_etag is None else {"IfMatch": f'"{if_etag}"'}
        try:
            with self._mapped(f"s3://{bucket}/{key}"):
                self._s3.delete_object(Bucket=bucket, Key=key, **condition)
        except NotFound:
            return

    def purge(self, bucket: str, key: str) -> None:
        """Forget every version of a key but the current one; without one, forget them all."""
        versions: list[str] = []
        markers: list[str] = []
        with self._mapped(f"s3://{bucket}/{key}"):
            pages = self._s3.get_paginator("list_object_versions").paginate(
                Bucket=bucket, Prefix=key
            )
            for page in pages:
                # The listing is by prefix: `a` must not take `ab` with it.
                versions += [
                    one["VersionId"]
                    for one in page.get("Versions", [])
                    if one["Key"] == key and not one["IsLatest"]
                ]
                markers += [
                    one["VersionId"] for one in page.get("DeleteMarkers", []) if one["Key"] == key
                ]
            # Markers last: without them an older version would be the current one again.
            for version in (*versions, *markers):
                self._s3.delete_object(Bucket=bucket, Key=key, VersionId=version)

    def list(self, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        """Current objects under `prefix` in key order, after the key `after`. No metadata."""
        with self._mapped(f"s3://{bucket}/{prefix}"):
            start = {"StartAfter": after} if after else {}
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix, **start
            )
            for page in pages:
                for one in page.get("Contents", []):
                    yield ObjectInfo(
                        bucket=bucket,
                        key=one["Key"],
                        size=one["Size"],
                        etag=one["ETag"].strip('"'),
                        modified_at=one["LastModified"].timestamp(),
                    )

    @contextmanager
    def _mapped(self, what: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._meaning(what, error) from error
        # A body that breaks off in the middle surfaces as the transport's own error.
        except (BotoCoreError, OSError) as error:
            raise Unavailable(
                f"the object store did not answer for {what}",
                why=f"{self._endpoint}: {type(error).__name__}",
                fix="it is tried again by itself; `lakeveil doctor` shows what is down",
                code="store_unavailable",
            ) from error

    def _meaning(self, what: str, error: ClientError) -> Exception:
        code = _code(error)
        if code == "NoSuchBucket":
            return NotFound(
                f"there is no bucket for {what}",
                why="the store does not know it",
                fix="create it, or correct `collections` in lakeveil.toml",
                code="no_such_bucket",
            )
        if code in _ABSENT:
            return NotFound(f"{what} does not exist", why="the store has no such object or version")
        if code in _CHANGED:
            return _conflict(what)
        if code in _REFUSED:
            return Refused(
                f"the object store refused {what}",
                why=f"it answered {code}",
                fix="check the key and the rights of this installation with `lakeveil doctor`",
                code="store_refused",
            )
        return Unavailable(
            f"the object store failed for {what}",
            why=f"it answered {code}",
            fix="it is tried again by itself; `lakeveil doctor` shows what is down",
            code="store_unavailable",
        )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _conflict(what: str) -> Conflict:
    return Conflict(f"{what} changed meanwhile", why="its content is no longer the one expected")


def _version(answer: Mapping[str, Any]) -> str | None:
    found = answer.get("VersionId")
    # "null": the bucket does not keep versions, or did not when this was written.
    return None if found in {None, "", "null"} else str(found)
