"""Merging grants and taking from them: nothing is lost, nothing is gained."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.access.governing.holdings import Plan, granted, revoked
from lakeveil.core.access.grants import Grant, OnColumns, OnTable, OnTag, Resource
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import ON_TABLE, ON_TAG, Permission, Permissions

A = "123456789012"
P = Permission
TABLE = OnTable(A, "d", "t")

Held = dict[tuple[str, bool], Permissions]
"""(part, with the grant option) -> permissions."""


def grant(
    resource: Resource, permissions: Iterable[P], grantable: Iterable[P] = (), **more: object
) -> Grant:
    return Grant(
        id="",
        account=A,
        principal="arn:p",
        resource=resource,
        permissions=frozenset(permissions),
        grantable=frozenset(grantable),
        **more,  # type: ignore[arg-type]
    )


def carried_out(plan: Plan, grants: list[Grant]) -> list[Grant]:
    """The grants after a plan, with ids for the new ones."""
    left = {g.id: g for g in grants if g.id not in plan.remove}
    for number, each in enumerate(plan.put):
        name = each.id or f"n{len(grants)}.{number}"
        left[name] = Grant(**{f: getattr(each, f) for f in Grant.__slots__} | {"id": name})
    return list(left.values())


def held(grants: Iterable[Grant]) -> Held:
    """What they say, part by part, whichever grant says it."""
    found: Held = {}
    for each in grants:
        on = each.resource
        parts = on.values if isinstance(on, OnTag) else getattr(on, "named", frozenset({""}))
        for part in parts:
            for option, permissions in ((False, each.permissions), (True, each.grantable)):
                found[part, option] = found.get((part, option), frozenset()) | permissions
    return {key: value for key, value in found.items() if value}


parts = st.frozensets(st.sampled_from("abc"), min_size=1)
some = st.frozensets(st.sampled_from(sorted(ON_TAG)), min_size=1)


@st.composite
def tag_grants(draw: st.DrawFn) -> Grant:
    permissions = draw(some)
    grantable = draw(st.frozensets(st.sampled_from(sorted(permissions))))
    return grant(OnTag(A, "k", draw(parts)), permissions, grantable)


def all_granted(wanted: Iterable[Grant]) -> list[Grant]:
    grants: list[Grant] = []
    for each in wanted:
        grants = carried_out(granted(each, grants), grants)
    return grants


@given(st.lists(tag_grants(), max_size=5))
def test_merged_grants_say_just_what_each_of_them_said(wanted: list[Grant]) -> None:
    grants = all_granted(wanted)

    assert held(grants) == held(wanted)
    assert len({(g.permissions, g.grantable) for g in grants}) == len(grants)


@given(st.lists(tag_grants(), min_size=1, max_size=4), parts, some)
def test_a_revocation_takes_just_what_it_names_or_nothing(
    wanted: list[Grant], values: frozenset[str], permissions: Permissions
) -> None:
    grants = all_granted(wanted)
    before = held(grants)

    plan, missing = revoked(OnTag(A, "k", values), permissions, frozenset(), grants)

    assert missing == {
        p for p in permissions if any(p not in before.get((v, False), ()) for v in values)
    }
    expected = {
        (part, option): ps - permissions if part in values else ps
        for (part, option), ps in before.items()
    }
    assert held(carried_out(plan, grants)) == {k: v for k, v in expected.items() if v}


@given(st.lists(tag_grants(), min_size=1, max_size=4))
def test_the_same_grant_again_changes_nothing(wanted: list[Grant]) -> None:
    grants = all_granted(wanted)

    assert granted(wanted[0], grants) == Plan()


@given(st.lists(tag_grants(), max_size=4), parts, some)
def test_the_grant_option_never_outlives_the_permission(
    wanted: list[Grant], values: frozenset[str], permissions: Permissions
) -> None:
    grants = all_granted(wanted)
    plan, _ = revoked(OnTag(A, "k", values), permissions, frozenset(), grants)

    assert all(g.grantable <= g.permissions for g in carried_out(plan, grants))


def test_all_is_told_apart_when_part_of_it_is_revoked() -> None:
    [whole] = all_granted([grant(TABLE, [P.ALL], [P.ALL])])

    plan, missing = revoked(TABLE, frozenset({P.DROP}), frozenset({P.INSERT}), [whole])

    [left] = plan.put
    assert missing == frozenset()
    assert left.id == whole.id
    assert left.permissions == ON_TABLE - {P.DROP}
    assert left.grantable == ON_TABLE - {P.DROP, P.INSERT}


def test_all_swallows_what_was_granted_before() -> None:
    [left] = all_granted([grant(TABLE, [P.SELECT]), grant(TABLE, [P.ALL])])

    assert left.permissions == {P.ALL}


def test_revoking_all_takes_whatever_there_is() -> None:
    grants = all_granted([grant(TABLE, [P.SELECT, P.DROP])])

    plan, missing = revoked(TABLE, frozenset({P.ALL}), frozenset(), grants)

    assert (carried_out(plan, grants), missing) == ([], frozenset())


def test_a_mask_an_expiry_and_another_principal_stay_apart_when_granted() -> None:
    mask = Mask(MaskKind.NULL)
    wanted = [
        grant(TABLE, [P.SELECT]),
        grant(TABLE, [P.SELECT], mask=mask),
        grant(TABLE, [P.SELECT], expires_at=5.0),
    ]

    grants = all_granted(wanted)

    assert len(grants) == 3
    plan, missing = revoked(TABLE, frozenset({P.SELECT}), frozenset(), grants)
    assert (carried_out(plan, grants), missing) == ([], frozenset())


def test_columns_left_out_are_a_grant_of_their_own() -> None:
    without = OnColumns(A, "d", "t", frozenset({"x"}), excluding=True)
    grants = all_granted([grant(without, [P.SELECT])])

    _, missing = revoked(
        OnColumns(A, "d", "t", frozenset({"x"})), frozenset({P.SELECT}), frozenset(), grants
    )
    plan, none = revoked(without, frozenset({P.SELECT}), frozenset(), grants)

    assert missing == {P.SELECT}
    assert none == frozenset()
    assert carried_out(plan, grants) == []
