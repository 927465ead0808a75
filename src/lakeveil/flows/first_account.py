"""The first account of an installation, with an administrator: made once, at the first start."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Protocol

from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Account, IssuedKey
from lakeveil.core.identity.rights import VERSIONS
from lakeveil.flows.change_identity import change_identity
from lakeveil.ports.audit import AuditLog

ADMINISTRATOR = "lake-admin"
EVERYTHING = json.dumps(
    {"Version": VERSIONS[0], "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
"""The administrator's policy: it may call anything. What it sees of data, grants say."""
_OURSELVES = "lakeveil"


class Founding(Protocol):
    """What a first account takes of an identity store."""

    def first_account(self) -> Account | None:
        """The account that was made first."""
        ...

    def found(self, account: Account, *, user: str, policy: str) -> IssuedKey | None:
        """Add an account with one user and a key, all at once; None where there is an account."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAccount:
    """The first account. `key` is the administrator's, and only in the answer that made it."""

    account: str
    administrator: str
    """Its ARN."""
    key: IssuedKey | None = None


def ensure_first_account(store: Founding, *, audit: AuditLog) -> FirstAccount:
    """Make the first account, or find it; of two processes at once, one gets the key.

    An administrator that was deleted since, or whose keys were, is not made again: that would
    undo what somebody decided.
    """
    first = store.first_account()
    if first is None:
        # Drawn, so that no two installations share one: accounts may be joined one day.
        number = str(secrets.randbelow(9 * 10**11) + 10**11)
        first = Account(id=number, name="main")
        with change_identity(
            by=_OURSELVES, action="iam:CreateAccount", resource=number, account=number, audit=audit
        ) as change:
            key = store.found(first, user=ADMINISTRATOR, policy=EVERYTHING)
            if key is not None:
                change.became["access_key"] = key.access_key_id
                return _answer(first, key)
            change.became["found"] = "another process was first"
        first = store.first_account() or first
    return _answer(first, None)


def _answer(account: Account, key: IssuedKey | None) -> FirstAccount:
    return FirstAccount(
        account=account.id, administrator=arns.user_arn(account.id, ADMINISTRATOR), key=key
    )
