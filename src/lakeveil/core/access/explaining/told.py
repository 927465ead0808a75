"""How much of an explanation somebody is told who may not know everything of the account.

The rules are those of the calls that tell the same things:

- A tag and its value are told to who may describe that value (`tag_rights`), as GetResourceLFTags
  tells them, to the table's owner, and of what is discoverable to the people of its account, as
  the search for data does.
- Who set a tag is told to the owner alone: that is the owner's and the administrators' to know.
- A grant fails on a tag that may not be known without a word of which, or of what it needed: the
  key that fails would say what the column does not carry. Of a saved expression that may not be
  described it is told what may be known of its tags.
- A grant by name shows the columns that may be known, and no other.
- The texts of row filters hold values, and are never told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from lakeveil.core.access.explaining.explain import (
    EffectiveTag,
    Explanation,
    Failing,
    Obstacle,
    ObstacleKind,
    nearest_first,
)
from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import Grant, OnColumns, OnTable, TagPolicy
from lakeveil.core.access.lake import Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.rows import ALL, Rows
from lakeveil.core.access.tags import ANY

SOME_ROWS = Rows.where("a row filter")
"""Stands for the text of a row filter where it is not told."""
OF_TAGS = frozenset({ObstacleKind.TAG, ObstacleKind.UNDEFINED_KEY, ObstacleKind.GUARDED})
UNTOLD = Obstacle(kind=ObstacleKind.TAG)
"""Stands for every obstacle whose tag is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What somebody may be told of a table, of which they may know `columns`.

    `discovered` says that they may know of it because it is discoverable.
    """

    authority: Authority
    table: Table
    columns: frozenset[str]
    discovered: bool

    def of(self, explanation: Explanation) -> Explanation:
        """An explanation as far as it is told."""
        return replace(
            explanation,
            rows=_unspoken(explanation.rows),
            masks=tuple((mask, _unspoken(rows)) for mask, rows in explanation.masks),
            tags=tuple(self._tag(tag) for tag in explanation.tags if self._knows(tag)),
            failing=nearest_first(self._failing(explanation.failing)),
        )

    @property
    def _owns(self) -> bool:
        return bool(self.table.owner) and self.table.owner in self.authority.who.identities

    def _knows(self, tag: EffectiveTag) -> bool:
        return self._carries(tag.key, tag.value)

    def _tag(self, tag: EffectiveTag) -> EffectiveTag:
        return tag if self._owns else replace(tag, set_by=None)

    def _carries(self, key: str, value: str | None) -> bool:
        """Whether it is told that a column carries a value of a key; None: that it has none."""
        if self._owns or self.discovered:
            return True
        rights = self.authority.tag(self.table.name.account, key)
        if value is None:
            return rights.allow(Permission.DESCRIBE, {ANY})
        return bool(rights.known(frozenset({value})))

    def _failing(self, every: Iterable[Failing]) -> Iterator[Failing]:
        for one in every:
            grant = self._grant(one.grant)
            if grant is not None:
                told = dict.fromkeys(self._obstacle(each, one.grant) for each in one.obstacles)
                yield Failing(grant=grant, obstacles=tuple(told))

    def _grant(self, grant: Grant) -> Grant | None:
        where = grant.resource
        if not isinstance(where, OnColumns):
            return grant
        named = where.named & self.columns
        if named:
            return replace(grant, resource=replace(where, named=named))
        if not where.excluding:
            return None
        return replace(grant, resource=OnTable(where.account, where.database, where.table))

    def _obstacle(self, obstacle: Obstacle, grant: Grant) -> Obstacle:
        if obstacle.kind not in OF_TAGS:
            return obstacle
        needs = self._needs(obstacle, grant)
        if not needs or not self._carries(obstacle.key, obstacle.has):
            return UNTOLD
        return replace(obstacle, needs=needs)

    def _needs(self, obstacle: Obstacle, grant: Grant) -> frozenset[str]:
        where, account = grant.resource, self.table.name.account
        if not isinstance(where, TagPolicy) or where.name is None or self._owns:
            return obstacle.needs
        if Permission.DESCRIBE in self.authority.expression(account, where.name)[0]:
            return obstacle.needs
        return self.authority.tag(account, obstacle.key).known(obstacle.needs)


def _unspoken(rows: Rows) -> Rows:
    return rows if rows == ALL or not rows else SOME_ROWS
