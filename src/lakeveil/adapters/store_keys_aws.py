"""Sessions at Amazon S3, where AWS is the store: AssumeRole, cut down by a session policy.

The role is one of the operator's account that may use the lake's buckets; what a session gets is
the intersection of it and the rights. AWS makes the three strings and enforces token and expiry,
so they are taken for ours as they are. Two things AWS does not offer, and both are said:

- a long-lived key that we chose does not open S3 (`takes_keys` is false): open a session with it;
- one session cannot be taken back (`lingers_s`): so none lasts beyond `longest_s`, an hour at
  most, and a session that was withdrawn, or whose rights changed, ends then.

AWS counts from when it answers, in whole seconds: a session may end there up to `LATER_S` after
the time asked for. Our own doors keep to the time.

Source: AWS STS API reference, AssumeRole (policy of 2,048 characters, 900 to 43,200 seconds).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from lakeveil.core.store_rights import StoreRight, policy_document
from lakeveil.errors import Unavailable, UsageError
from lakeveil.ports.store_keys import SESSION_PREFIX, StoreCredential

SHORTEST_S, LONGEST_S = 900, 3600
LATER_S = 5
MAX_POLICY_CHARACTERS = 2048
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_REFUSALS = {"AccessDenied", "ExpiredTokenException", "InvalidClientTokenId", "RegionDisabled"}


class AwsStoreKeys:
    """The `StoreKeys` of Amazon S3. Thread-safe. It signs with the surroundings' AWS credentials.

    `longest_s` is 900 to 3600 seconds. `endpoint` is AWS's own unless given.
    """

    takes_keys = False

    def __init__(
        self,
        role_arn: str,
        *,
        region: str,
        now: Callable[[], float],
        longest_s: int = LONGEST_S,
        endpoint: str | None = None,
    ) -> None:
        if not SHORTEST_S <= longest_s <= LONGEST_S:
            raise UsageError(
                f"sessions of {longest_s} seconds cannot be had",
                why=f"AWS makes none below {SHORTEST_S}, and beyond {LONGEST_S} a revoked one "
                "would stay open for too long",
                fix=f"choose {SHORTEST_S} to {LONGEST_S}",
            )
        self.lingers_s = float(longest_s)
        self._longest_s = longest_s
        self._role_arn = role_arn
        self._now = now
        self._sts: Any = boto3.client(
            "sts",
            region_name=region,
            endpoint_url=endpoint,
            config=botocore.config.Config(
                connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 3}
            ),
        )

    def mint_session(
        self, name: str, rights: Sequence[StoreRight], *, expires_at: float
    ) -> StoreCredential:
        """A session's three strings, made by AWS. They open the store at once."""
        policy = json.dumps(policy_document(rights), separators=(",", ":"))
        if len(policy) > MAX_POLICY_CHARACTERS:
            raise _too_many_rights(
                f"it has {len(policy)} characters, above {MAX_POLICY_CHARACTERS}"
            )
        if not _SESSION_NAME.fullmatch(name):
            raise UsageError(
                f"`{name}` cannot name a session",
                why="a name has 2 to 64 letters, digits and `_+=,.@-`",
                fix="shorten it, or leave other characters out",
                code="session_name_invalid",
            )
        left_s = expires_at - self._now()
        seconds = int(min(left_s, self._longest_s))
        # Who asks for the shortest session has a little less left by now.
        if left_s >= SHORTEST_S - LATER_S:
            seconds = max(seconds, SHORTEST_S)
        if seconds < SHORTEST_S:
            raise UsageError(
                f"a session of {max(seconds, 0)} seconds is too short",
                why=f"AWS makes none below {SHORTEST_S}",
                fix="ask for a longer one",
                code="session_too_short",
            )
        return self._assume_role(name, policy, seconds)

    def allow(
        self, key: StoreCredential, rights: Sequence[StoreRight], *, expires_at: float | None
    ) -> None:
        """Nothing for a session: AWS allowed it when it made it, and holds to that.

        Raises:
            UsageError: it is a long-lived key.
        """
        del rights, expires_at
        if not key.access_key_id.startswith(SESSION_PREFIX):
            raise UsageError(
                "a long-lived key does not open Amazon S3",
                why="AWS takes only keys that it made itself",
                fix="open a session with it: GetSessionToken or AssumeRole",
                code="store_takes_no_keys",
            )

    def withdraw(self, access_key_id: str) -> None:
        """Nothing can be done: AWS ends the session by itself, within `lingers_s`."""

    def known(self) -> frozenset[str]:
        """None: AWS keeps no list of sessions."""
        return frozenset()

    def _assume_role(self, name: str, policy: str, seconds: int) -> StoreCredential:
        try:
            made = self._sts.assume_role(
                RoleArn=self._role_arn,
                RoleSessionName=name,
                Policy=policy,
                DurationSeconds=seconds,
            )["Credentials"]
        except botocore.exceptions.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "PackedPolicyTooLarge":
                raise _too_many_rights("it is too large once packed") from error
            if code in _REFUSALS:
                # Not `Refused`: it is this installation that may not, and not who asks it.
                raise Unavailable(
                    f"AWS does not let us assume `{self._role_arn}`",
                    why=f"it answered {code}",
                    fix="let this installation's own AWS identity assume the role, and check "
                    "both names",
                    code="store_role_refused",
                ) from error
            raise _unavailable(code) from error
        except botocore.exceptions.BotoCoreError as error:
            raise _unavailable(type(error).__name__) from error
        return StoreCredential(
            access_key_id=made["AccessKeyId"],
            secret_access_key=made["SecretAccessKey"],
            session_token=made["SessionToken"],
            expires_at=made["Expiration"].timestamp(),
        )


def _too_many_rights(why: str) -> UsageError:
    return UsageError(
        "AWS does not take a policy of so many rights",
        why=why,
        fix="ask for fewer locations in one session",
        code="session_policy_too_long",
    )


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        "AWS made no session", why=f"it answered {why}", fix="try again; check the network"
    )
