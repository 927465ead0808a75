"""An ObjectStore in this process' memory: for trying flows without a server."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lakeveil.core.photos import ObjectRef
from lakeveil.errors import BadPhoto, Conflict, NotFound
from lakeveil.ports import Clock, ObjectInfo


@dataclass(frozen=True, slots=True)
class _Stored:
    info: ObjectInfo
    data: bytes


class InMemoryObjectStore:
    """Buckets come into being as they are written. Keeps versions of `versioned` buckets.

    Thread-safe; conditional writes are atomic.
    """

    def __init__(self, clock: Clock, *, versioned: frozenset[str] = frozenset()) -> None:
        self._clock = clock
        self._versioned = versioned
        self._lock = threading.Lock()
        self._current: dict[tuple[str, str], _Stored] = {}
        self._older: dict[tuple[str, str], list[_Stored]] = {}
        self._count = 0

    def head(self, bucket: str, key: str) -> ObjectInfo | None:
        """The current version with its metadata, or None where there is none."""
        found = self._current.get((bucket, key))
        return found.info if found else None

    def get(self, ref: ObjectRef, *, etag: str | None = None, limit_bytes: int) -> bytes:
        """The bytes of one exact version (by `ref.version`, or else by `etag`)."""
        place = (ref.bucket, ref.key)
        with self._lock:
            every = [*self._older.get(place, []), *filter(None, [self._current.get(place)])]
        if ref.version is None:
            found = self._current.get(place)
        else:
            found = next((s for s in every if s.info.version == ref.version), None)
        if found is None:
            raise NotFound(f"{ref} does not exist", why="no such object or version")
        if etag is not None and found.info.etag != etag:
            raise Conflict(f"{ref} changed meanwhile", why="its content is another one")
        if found.info.size > limit_bytes:
            raise BadPhoto(
                f"{ref} is too large",
                why=f"it has {found.info.size:,} bytes, and the limit is {limit_bytes:,}",
                fix="make it smaller, or raise limits.max_bytes",
                code="file_too_large",
            )
        return found.data

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
        with self._lock:
            present = self._current.get((bucket, key))
            self._check(bucket, key, present, if_absent=if_absent, if_etag=if_etag)
            self._count += 1
            info = ObjectInfo(
                bucket=bucket,
                key=key,
                size=len(data),
                etag=hashlib.md5(data, usedforsecurity=False).hexdigest(),
                modified_at=self._clock.now(),
                version=f"v{self._count}" if bucket in self._versioned else None,
                content_type=content_type,
                metadata=dict(metadata),
            )
            self._retire(bucket, key, present)
            self._current[bucket, key] = _Stored(info, data)
        return info

    def delete(self, bucket: str, key: str, *, if_etag: str | None = None) -> None:
        """Remove the current version; nothing happens where there is none."""
        with self._lock:
            present = self._current.get((bucket, key))
            if present is None:
                return
            self._check(bucket, key, present, if_absent=False, if_etag=if_etag)
            self._retire(bucket, key, present)
            del self._current[bucket, key]

    def purge(self, bucket: str, key: str) -> None:
        """Forget every version of a key but the current one; without one, forget them all."""
        with self._lock:
            self._older.pop((bucket, key), None)

    def list(self, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        """Current objects under `prefix` in key order, after the key `after`. No metadata."""
        with self._lock:
            # S3 orders keys by their UTF-8 bytes.
            keys = sorted((k for b, k in self._current if b == bucket), key=str.encode)
            found = [
                self._current[bucket, key].info
                for key in keys
                if key.startswith(prefix) and key.encode() > after.encode()
            ]
        for info in found:
            yield replace(info, metadata={}, content_type="", version=None)

    def versions(self, bucket: str, key: str) -> int:
        """How many versions of a key are kept, the current one included."""
        return len(self._older.get((bucket, key), [])) + ((bucket, key) in self._current)

    def _retire(self, bucket: str, key: str, present: _Stored | None) -> None:
        if present is not None and bucket in self._versioned:
            self._older.setdefault((bucket, key), []).append(present)

    @staticmethod
    def _check(
        bucket: str, key: str, present: _Stored | None, *, if_absent: bool, if_etag: str | None
    ) -> None:
        changed = if_etag is not None and (present is None or present.info.etag != if_etag)
        if changed or (if_absent and present is not None):
            raise Conflict(
                f"s3://{bucket}/{key} changed meanwhile",
                why="its content is no longer the one expected",
            )
