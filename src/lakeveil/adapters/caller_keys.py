"""The access keys of this installation: who calls, and what the store lets them read.

A door never reads an object with Lakeveil's own key on a caller's behalf (a confused deputy
would open any original to anybody): it reads with the caller's key, and the store decides.
"""

from __future__ import annotations

import hmac
import threading
from http import HTTPStatus

from botocore.exceptions import ClientError

from lakeveil.adapters.credentials import Credentials, S3Key
from lakeveil.adapters.object_store import S3ObjectStore, StoreKey
from lakeveil.core.photos import ObjectRef
from lakeveil.errors import NotFound, Refused, Unavailable


class CallerKeys:
    """Knows every access key of one installation. Thread-safe.

    `endpoint` None is Amazon S3 itself; the keys must then be keys of that account.
    """

    def __init__(
        self, credentials: Credentials, *, endpoint: str | None, region: str, timeout_s: float
    ) -> None:
        self._keys = {key.access_key_id: key for key in credentials.s3.values()}
        self._endpoint = endpoint
        self._region = region
        self._timeout_s = timeout_s
        self._stores: dict[str, S3ObjectStore] = {}
        self._lock = threading.Lock()

    def secret_of(self, access_key: str, session_token: str | None = None) -> str | None:
        """The secret that belongs to an access key, or None where the key is not ours.

        These keys have no sessions, so that whoever sends a token has another key in mind.
        """
        if session_token is not None:
            return None
        key = self._find(access_key)
        return key.secret_access_key if key else None

    def read(self, access_key: str, ref: ObjectRef, *, limit_bytes: int) -> bytes:
        """An object as the caller's own key reads it.

        Raises:
            NotFound, Refused: it does not exist, or this key may not read it.
            BadPhoto: it is larger than `limit_bytes`; nothing was read.
            Unavailable: the store did not answer.
        """
        try:
            return self._store(access_key).get(ref, limit_bytes=limit_bytes)
        except Unavailable as error:
            if _is_about_the_name(error.__cause__):
                raise NotFound(
                    f"{ref} does not exist", why="the store takes it for no object's name"
                ) from error
            raise

    def _find(self, access_key: str) -> S3Key | None:
        found = None
        for known, key in self._keys.items():
            if hmac.compare_digest(known.encode(), access_key.encode()):
                found = key
        return found

    def _store(self, access_key: str) -> S3ObjectStore:
        key = self._find(access_key)
        if key is None:
            raise Refused(
                "the access key is not known here",
                why="it is none of this installation's keys",
                fix="use a key from the `aws` file in the installation's home",
            )
        with self._lock:
            if access_key not in self._stores:
                self._stores[access_key] = S3ObjectStore(
                    self._endpoint,
                    key=StoreKey(key.access_key_id, key.secret_access_key),
                    region=self._region,
                    timeout_s=self._timeout_s,
                    attempts=2,
                )
            return self._stores[access_key]


def _is_about_the_name(cause: BaseException | None) -> bool:
    """Whether the store did answer: it refused a key or version no object can have."""
    if not isinstance(cause, ClientError):
        return False
    status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return status in {HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED}
