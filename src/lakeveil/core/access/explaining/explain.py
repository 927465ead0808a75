"""Why a principal sees a column, or does not.

The answer is complete: every grant that speaks for the principal and could concern the table
either is behind what the decision shows, or is listed with everything that stands in its way.
What an obstacle is found from is never what the decision is made from: the decision comes from
`decide`, obstacles from the grants themselves, and tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lakeveil.core.access.deciding.data_access import may_read_data
from lakeveil.core.access.deciding.decide import decide, identities_towards, shared_with
from lakeveil.core.access.deciding.decision import (
    ADMINISTRATOR,
    OWNER,
    READ_ONLY_ADMINISTRATOR,
    Decision,
    Outcome,
)
from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnFilter,
    OnTable,
    PolicyKind,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.guards import shown
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.masks import NOTHING, Mask, fitted
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.rows import Rows
from lakeveil.core.access.tags import WITHHELD, failing_keys
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound


@dataclass(frozen=True, slots=True)
class SetBy:
    """Who set a tag, and when (UTC seconds)."""

    principal: str
    at: float


History = Mapping[tuple[str, str], SetBy]
"""(layer as `EffectiveTag.layer` names it, key) -> who set what holds for one column there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveTag:
    """A tag that holds for a column. `layer` is `column`, `table`, `database` or `catalog`."""

    key: str
    value: str
    layer: str
    defined: bool
    """False where the ontology has lost the key: then no grant by it matches."""
    set_by: SetBy | None = None


class ObstacleKind(StrEnum):
    """What can stand between a grant and a column."""

    TAG = "tag"
    """The column has another value of `key` than `needs`, or with `has` None none at all.

    Without a `key` it is not told which (`told`)."""
    UNDEFINED_KEY = "undefined-key"
    """The ontology no longer has `key`."""
    GUARDED = "guarded"
    """By its name the column must carry a value of `key` of its own, and it has none."""
    EXPRESSION_GONE = "expression-gone"
    """The saved expression `name` does not exist."""
    FILTER_GONE = "filter-gone"
    """The data cells filter `name` does not exist."""
    OTHER_COLUMNS = "other-columns"
    """The grant names columns, and this is none of them."""
    NO_SELECT = "no-select"
    """The grant does not select."""
    EXPIRED = "expired"
    """It counted until `at`."""
    NOT_GOVERNED = "not-governed"
    """The table's location is not registered."""
    NOT_SHARED = "not-shared"
    """What the table's account shares with the grant's account does not reach so far."""
    ELSEWHERE = "elsewhere"
    """It was recorded by account `name`, which neither owns the table nor the principal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One thing that stands between a grant and a column."""

    kind: ObstacleKind
    key: str = ""
    needs: frozenset[str] = frozenset()
    has: str | None = None
    name: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributing:
    """A grant behind what is shown, and how it speaks for the principal.

    `grant` is its id, or `owner`. `via` is the identifier that it names; where that is not the
    principal's own ARN it is a group, a role or an account. `mask` and `filter` say that it shows
    the column through these only.
    """

    grant: str
    via: str
    mask: Mask | None = None
    filter: str = ""
    unfit_for: str = ""
    """The column's type, where it cannot carry the mask: then nothing shows through it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A grant that shows nothing of the column, and everything that it fails on."""

    grant: Grant
    obstacles: tuple[Obstacle, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a column is visible, masked or hidden for a principal.

    `failing` has the nearest grant first: the one with the fewest obstacles. `implicit` are the
    rights that come without a grant (`administrator`, `owner`, ...).
    """

    principal: str
    table: TableName
    column: str
    outcome: Outcome
    rows: Rows
    masks: tuple[tuple[Mask, Rows], ...]
    """As the column's type can carry them; the first one shows most, and wins over the others."""
    exists: bool
    """Whether the principal may know of the table at all."""
    governed: bool
    has_data_access: bool
    """Whether its rights let it read any data; without, none of this counts."""
    tags: tuple[EffectiveTag, ...]
    contributing: tuple[Contributing, ...]
    failing: tuple[Failing, ...]
    implicit: tuple[str, ...]

    @property
    def beaten(self) -> tuple[Mask, ...]:
        """Masks of grants that show no row of the column, since others show more of it there."""
        shown = {mask for mask, _ in self.masks}
        through = {NOTHING if one.unfit_for else one.mask for one in self.contributing if one.mask}
        return tuple(sorted(through - shown, key=lambda mask: mask.rank))

    @property
    def nearest(self) -> Failing | None:
        """The grant with the fewest obstacles."""
        return self.failing[0] if self.failing else None


def explain(
    who: Principal,
    table: Table,
    column: str,
    policy: Policy,
    *,
    now: float,
    history: History | None = None,
) -> Explanation:
    """Why a principal sees a column or does not; `history` says who set its tags.

    Raises:
        NotFound: the table has no such column.
    """
    kind = next((one.type for one in table.columns if one.name == column), None)
    if kind is None:
        raise NotFound(f"`{table.name}` has no column `{column}`")
    decision = decide(who, table, policy, now=now)
    decided = next(one for one in decision.columns if one.name == column)
    contributing: list[Contributing] = []
    failing: list[Failing] = []
    for grant in concerned(who, table, policy):
        if grant.id in decided.grants:
            contributing.append(_contributing(grant, kind))
        else:
            found = tuple(obstacles(grant, who, table, column, policy, now=now))
            failing.append(Failing(grant=grant, obstacles=found))
    if OWNER in decided.grants:
        contributing.insert(0, Contributing(grant=OWNER, via=table.owner))
    return Explanation(
        principal=who.arn,
        table=table.name,
        column=column,
        outcome=decided.outcome,
        rows=decided.rows,
        masks=decided.masked,
        exists=decision.exists,
        governed=table.governed,
        has_data_access=may_read_data(who),
        tags=effective_tags(table, column, policy, history or {}),
        contributing=tuple(contributing),
        failing=nearest_first(failing),
        implicit=_implicit(decision),
    )


def nearest_first(failing: Iterable[Failing]) -> tuple[Failing, ...]:
    """Grants by how many things they fail on."""
    return tuple(sorted(failing, key=lambda one: (len(one.obstacles), one.grant.id)))


def explain_table(
    who: Principal, table: Table, policy: Policy, *, now: float
) -> tuple[Explanation, ...]:
    """Why of every column of a table, in order."""
    return tuple(explain(who, table, one.name, policy, now=now) for one in table.columns)


def effective_tags(
    table: Table, column: str, policy: Policy, history: History
) -> tuple[EffectiveTag, ...]:
    """The tags that hold for a column in order of their keys, with where each was set."""
    defined = policy.defined_keys(table.name.account)
    found = []
    for key, value in sorted(shown(table.tags.of_column(column)).items()):
        layer = table.tags.origin(key, column)
        found.append(
            EffectiveTag(
                key=key,
                value=value,
                layer=layer,
                defined=key in defined,
                set_by=history.get((layer, key)),
            )
        )
    return tuple(found)


def concerned(who: Principal, table: Table, policy: Policy) -> list[Grant]:
    """Every grant that names an identity of the principal and could be about the table."""
    return [
        grant
        for grant in policy.grants_to(identities_towards(who, table.name.account, policy))
        if _could_be_about(grant, table.name)
    ]


def obstacles(
    grant: Grant, who: Principal, table: Table, column: str, policy: Policy, *, now: float
) -> Iterator[Obstacle]:
    """Everything that keeps a grant of the principal from showing a column; nothing if it does."""
    home = table.name.account
    yield from _of_the_grant_itself(grant, table, column, policy)
    if not grant.live(now):
        yield Obstacle(kind=ObstacleKind.EXPIRED, at=grant.expires_at or 0.0)
    if not table.governed:
        yield Obstacle(kind=ObstacleKind.NOT_GOVERNED)
    if grant.account not in {home, who.account}:
        yield Obstacle(kind=ObstacleKind.ELSEWHERE, name=grant.account)
    elif grant.account != home and not any(
        shared_with(who.account, grant, table, policy, now).cells.get(column, {}).values()
    ):
        yield Obstacle(kind=ObstacleKind.NOT_SHARED)


def _of_the_grant_itself(
    grant: Grant, table: Table, column: str, policy: Policy
) -> Iterator[Obstacle]:
    where = grant.resource
    if not grant.permissions & {Permission.SELECT, Permission.ALL}:
        yield Obstacle(kind=ObstacleKind.NO_SELECT)
    if isinstance(where, TagPolicy):
        yield from _of_tags(where, table, column, policy)
    elif isinstance(where, OnColumns):
        if (column in where.named) == where.excluding:
            yield Obstacle(kind=ObstacleKind.OTHER_COLUMNS)
    elif isinstance(where, OnFilter):
        found = policy.filters.get((table.name, where.name))
        if found is None:
            yield Obstacle(kind=ObstacleKind.FILTER_GONE, name=where.name)
        elif (column in found.named) == found.excluding:
            yield Obstacle(kind=ObstacleKind.OTHER_COLUMNS, name=where.name)


def _of_tags(where: TagPolicy, table: Table, column: str, policy: Policy) -> Iterator[Obstacle]:
    expression = policy.expression_of(where)
    if expression is None:
        yield Obstacle(kind=ObstacleKind.EXPRESSION_GONE, name=where.name or "")
        return
    defined = policy.defined_keys(where.account)
    tags = table.tags.of_column(column)
    needed = dict(expression.terms)
    for key in failing_keys(expression, tags, defined):
        has = tags.get(key)
        kind = ObstacleKind.TAG if key in defined else ObstacleKind.UNDEFINED_KEY
        if has == WITHHELD:
            kind, has = ObstacleKind.GUARDED, None
        yield Obstacle(kind=kind, key=key, needs=needed[key], has=has)


def _contributing(grant: Grant, kind: str) -> Contributing:
    where, mask = grant.resource, grant.mask
    return Contributing(
        grant=grant.id,
        via=grant.principal,
        mask=mask,
        filter=where.name if isinstance(where, OnFilter) else "",
        unfit_for=kind if mask and fitted(mask, kind) != mask else "",
    )


def _could_be_about(grant: Grant, name: TableName) -> bool:
    where = grant.resource
    if where.account != name.account:
        return False
    if isinstance(where, TagPolicy):
        return where.kind is PolicyKind.TABLE
    if isinstance(where, OnTable | OnColumns | OnFilter):
        return where.database == name.database and where.table in {None, name.table}
    return False


def _implicit(decision: Decision) -> tuple[str, ...]:
    every = {reason for reasons in decision.because.values() for reason in reasons}
    return tuple(one for one in (ADMINISTRATOR, READ_ONLY_ADMINISTRATOR, OWNER) if one in every)
