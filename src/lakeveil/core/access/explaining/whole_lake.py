"""Every table of a lake at one moment with its policy: what changes are weighed against.

Kept between questions by whoever reads it (`lakeveil.ports.whole_lake`), as making it takes longer
than any question. One thread at a time, as with the index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lakeveil.core.access.changing.changes import Change
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.indexing.lake_access import LakeAccess
from lakeveil.core.access.indexing.lake_index import LakeIndex
from lakeveil.core.access.lake import Policy
from lakeveil.core.identity.principal import Principal

Weighed = dict[tuple[Change, ...], Mapping[str, tuple[int, int]]]
"""Changes made together -> by ARN, how many cells somebody gains and loses."""
_KEPT = 4096


@dataclass(slots=True, kw_only=True)
class WholeLake:
    """The policy, and the tables under it; `secret` are those that are not discoverable."""

    policy: Policy
    index: LakeIndex
    secret: set[TableName]
    _access: LakeAccess | None = field(default=None, init=False)
    _weighed: Weighed = field(default_factory=dict, init=False)

    def tables_changed(self) -> None:
        """Forget what was weighed: whoever changes the index says so."""
        self._weighed.clear()

    def weighed(self, principals: Iterable[Principal], *, now: float) -> Weighed:
        """What was found of changes of this very lake, to be looked up and added to."""
        _ = self.access(principals, now=now)
        if len(self._weighed) > _KEPT:
            self._weighed.clear()
        return self._weighed

    def access(self, principals: Iterable[Principal], *, now: float) -> LakeAccess:
        """Who sees what of it at a time; the one before, where nothing could be otherwise."""
        people = tuple({who.arn: who for who in principals}.values())
        kept = self._access
        if (
            kept is None
            or kept.index is not self.index
            or kept.policy is not self.policy
            or kept.principals != people
            or not kept.now <= now
            or _ended(self.policy, kept.now) != _ended(self.policy, now)
        ):
            kept = self._access = LakeAccess(self.index, self.policy, people, now=now)
            self._weighed.clear()
        return kept


def _ended(policy: Policy, now: float) -> list[str]:
    return [one.id for one in policy.grants if one.expires_at is not None and not one.live(now)]
