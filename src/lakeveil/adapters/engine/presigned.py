"""URLs that read one version of one object for a while, and do nothing else.

They carry a signature: they belong to an engine's process and to nothing that is written down.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from lakeveil.adapters.object_store import StoreKey
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.ports.engine import ScanFile

SLACK_S = 60.0
_LONGEST_S = 7 * 24 * 3600
_CACHED = 100_000


class Presign(Protocol):
    """Makes a URL to GET `location` (`s3://bucket/key`), in that version where one is given."""

    def __call__(self, location: str, *, version: str, seconds: int) -> str:
        """The URL; it is good for `seconds`."""
        ...


class S3Presigner:
    """Presigns with a key that may read the lake. Thread-safe; asks nobody.

    `endpoint` None is Amazon S3 itself; `key` None leaves finding credentials to boto3's chain.
    """

    def __init__(self, endpoint: str | None, *, key: StoreKey | None, region: str) -> None:
        session = boto3.Session(
            aws_access_key_id=key.access_key_id if key else None,
            aws_secret_access_key=key.secret_access_key if key else None,
            aws_session_token=key.session_token if key else None,
            region_name=region,
        )
        self._s3 = session.client(
            "s3",
            endpoint_url=endpoint,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if endpoint else "virtual"},
            ),
        )

    @property
    def port(self) -> int:
        """The TCP port of the store: all that an engine's process needs to reach."""
        parts = urlsplit(self._s3.meta.endpoint_url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    def __call__(self, location: str, *, version: str, seconds: int) -> str:
        """See `Presign`.

        Raises:
            QueryError: NOT_SUPPORTED, for a key that a URL cannot name exactly.
        """
        bucket, _, key = location.removeprefix("s3://").partition("/")
        # Clients and proxies take the dots for directories, and read another object.
        dotted = any(part in {".", ".."} for part in key.split("/"))
        if not location.startswith("s3://") or not bucket or not key or dotted:
            raise QueryError(
                ErrorName.NOT_SUPPORTED, "A file of the table has a name that is not read"
            )
        wanted = {"Bucket": bucket, "Key": key}
        if version:
            wanted["VersionId"] = version
        url: str = self._s3.generate_presigned_url("get_object", Params=wanted, ExpiresIn=seconds)
        return url


@dataclass(frozen=True, slots=True)
class _Made:
    url: str
    good_until: float


class PresignedUrls:
    """The same URL for the same version as long as it lasts: it is what caches go by."""

    def __init__(self, presign: Presign, *, now: Callable[[], float]) -> None:
        self._presign = presign
        self._now = now
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], _Made] = {}

    def url(self, file: ScanFile, *, seconds: float) -> str:
        """A URL of a file that is good for at least so many seconds.

        Raises:
            QueryError: the file cannot be named.
        """
        key, now = (file.location, file.version), self._now()
        with self._lock:
            made = self._made.get(key)
            if made is not None and made.good_until >= now + seconds + SLACK_S:
                return made.url
        # Twice as long as this job may take, so that the next one finds the same URL.
        lasts = min(int(2 * seconds + 2 * SLACK_S), _LONGEST_S)
        url = self._presign(file.location, version=file.version, seconds=lasts)
        if "'" in url or "\x00" in url or not url.startswith(("http://", "https://")):
            raise QueryError(
                ErrorName.NOT_SUPPORTED, "A file of the table has a name that is not read"
            )
        with self._lock:
            if len(self._made) >= _CACHED:
                self._made = {k: m for k, m in self._made.items() if m.good_until > now + SLACK_S}
            if len(self._made) >= _CACHED:
                self._made.clear()
            self._made[key] = _Made(url, now + lasts)
        return url
