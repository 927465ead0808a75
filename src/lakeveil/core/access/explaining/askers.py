"""Who asks: a principal with the rights it has, or the operator of this installation.

The operator runs commands where the lake's state lies, and could read and write all of it; what
such commands do is on record under the name of the machine's user.
"""

from __future__ import annotations

from dataclasses import dataclass

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.lake import Policy
from lakeveil.core.identity.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Whoever operates this installation; `arn` is what records call them (`local:ana`)."""

    arn: str


Asker = Principal | Operator


def administers(asker: Asker, account: str, policy: Policy) -> bool:
    """Whether somebody may decide about everything in an account."""
    if isinstance(asker, Operator):
        return True
    return Authority(who=asker, policy=policy, now=0.0).administers(account)


def views(asker: Asker, account: str, policy: Policy) -> bool:
    """Whether somebody may know everything about access in an account."""
    if isinstance(asker, Operator):
        return True
    return Authority(who=asker, policy=policy, now=0.0).views(account)
