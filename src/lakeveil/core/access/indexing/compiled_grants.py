"""Grants made ready: which speak for a principal, and what each allows on a match by tags.

What a grant by tags allows is not written down a second time here. It is asked of `contribution`
once, on three tiny tables: one whose every column matches, one of which only some do, and one
that itself matches while its columns do not. The rest of an answer is which of the three it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from lakeveil.core.access.deciding.contribution import contribution
from lakeveil.core.access.deciding.decide import identities_towards
from lakeveil.core.access.grants import Grant, PolicyKind, TableName, TagPolicy
from lakeveil.core.access.indexing.table_index import Terms
from lakeveil.core.access.lake import Column, Policy, Table
from lakeveil.core.access.masks import Mask
from lakeveil.core.access.permissions import Permissions
from lakeveil.core.access.tags import Expression, LFTag, TagLayers
from lakeveil.core.identity.principal import Principal


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one grant adds where it matches; `selects` says whether it shows what it matches."""

    permissions: Permissions
    grantable: Permissions
    selects: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a grant by tags allows; None is nothing."""

    on_every_column: Allowed | None
    on_some_columns: Allowed | None
    on_table_alone: Allowed | None

    @property
    def shows(self) -> bool:
        """Whether the columns that match are shown, through the grant's mask or none."""
        return self.on_some_columns is not None and self.on_some_columns.selects


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledGrant:
    """A grant that speaks for a principal in front of one account's tables.

    `passes_on` says that it was recorded by the principal's own account about another's tables:
    it reaches no further than what that account was given. `effect` is there for a grant on
    tables by tags, and then `terms` are what it matches; None where it matches nothing, as the
    saved expression is gone or a key is no longer defined.
    """

    grant: Grant
    passes_on: bool
    effect: Effect | None = None
    terms: Terms | None = None


def speaking_grants(who: Principal, account: str, policy: Policy) -> tuple[CompiledGrant, ...]:
    """The grants that speak for a principal in front of an account's tables, expired ones too."""
    speaking = policy.grants_to(identities_towards(who, account, policy))
    recorded = {account, who.account}
    return tuple(
        compiled(grant, policy, passes_on=grant.account != account)
        for grant in speaking
        if grant.account in recorded and grant.resource.account == account
    )


def compiled(grant: Grant, policy: Policy, *, passes_on: bool = False) -> CompiledGrant:
    """One grant, made ready."""
    where = grant.resource
    if not isinstance(where, TagPolicy) or where.kind is not PolicyKind.TABLE:
        return CompiledGrant(grant=grant, passes_on=passes_on)
    return CompiledGrant(
        grant=grant,
        passes_on=passes_on,
        effect=effect_of(grant.permissions, grant.grantable, grant.mask),
        terms=terms_of(where, policy),
    )


def terms_of(where: TagPolicy, policy: Policy) -> Terms | None:
    """What a tag policy matches; None where it can match nothing."""
    expression = policy.expression_of(where)
    if expression is None:
        return None
    defined = policy.defined_keys(where.account)
    return expression.terms if all(key in defined for key, _ in expression.terms) else None


def accounts_spoken_of(who: Principal, policy: Policy) -> frozenset[str]:
    """The accounts about whose resources any grant speaks for a principal."""
    identities: Iterable[str] = identities_towards(who, "", policy) | who.identities
    return frozenset(grant.resource.account for grant in policy.grants_to(identities))


_ACCOUNT = "0"
_NAME = TableName(_ACCOUNT, "d", "t")
_MATCH, _OTHER = {"k": "match"}, {"k": "other"}
_ONE, _TWO = Column("one"), Column("two")
_ONTOLOGY = Policy(
    tags={
        (_ACCOUNT, "k"): LFTag(account=_ACCOUNT, key="k", values=frozenset({"match", "other"})),
    }
)
_EVERY_COLUMN = Table(name=_NAME, columns=(_ONE, _TWO), tags=TagLayers(table=_MATCH))
_SOME_COLUMNS = replace(_EVERY_COLUMN, tags=TagLayers(table=_OTHER, columns={"one": _MATCH}))
_TABLE_ALONE = Table(
    name=_NAME, columns=(_ONE,), tags=TagLayers(table=_MATCH, columns={"one": _OTHER})
)
_POLICY = TagPolicy(_ACCOUNT, PolicyKind.TABLE, Expression.of({"k": ["match"]}))


@lru_cache(maxsize=4096)
def effect_of(permissions: Permissions, grantable: Permissions, mask: Mask | None) -> Effect:
    """What a grant on tables by tags allows, whatever its expression is."""
    grant = Grant(
        id="",
        account=_ACCOUNT,
        principal="",
        resource=_POLICY,
        permissions=permissions,
        grantable=grantable,
        mask=mask,
    )
    return Effect(
        on_every_column=_allowed(grant, _EVERY_COLUMN),
        on_some_columns=_allowed(grant, _SOME_COLUMNS),
        on_table_alone=_allowed(grant, _TABLE_ALONE),
    )


def _allowed(grant: Grant, table: Table) -> Allowed | None:
    part = contribution(grant, table, _ONTOLOGY)
    return None if part is None else Allowed(part.permissions, part.grantable, bool(part.cells))
