"""Renamed columns: what names them goes along, and nothing opens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnColumns,
    OnTable,
    PolicyKind,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Column, Policy, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.renames import (
    MOST_FORMER,
    Carried,
    Numbers,
    Renames,
    carried,
    carried_tags,
    excluded_too,
    in_doubt,
    unknown_excluded,
    withheld,
)
from lakeveil.core.access.tags import WITHHELD, Expression, LFTag, TagLayers
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import UsageError

A = "123456789012"
T = TableName(A, "ads", "events")
ANA = Principal(arn="arn:ana", account=A, identities=frozenset({"arn:ana"}))
SELECT = frozenset({Permission.SELECT})
PRIVATE = LFTag(account=A, key="class", values=frozenset({"private", "open"}))


def grant(number: int, *named: str, excluding: bool = False) -> Grant:
    on = OnColumns(A, "ads", "events", frozenset(named), excluding=excluding)
    return Grant(id=f"g{number}", account=A, principal=ANA.arn, resource=on, permissions=SELECT)


def renamed(before: Mapping[str, int], after: Mapping[str, int], *grants: Grant) -> list[Grant]:
    """The grants as they are after a rename."""
    changes = carried(Policy(grants=grants), T, Renames(before, after))
    new = {one.id: one for one in changes.grants}
    return [new.get(one.id, one) for one in grants if one.id not in changes.gone_grants]


def names(grants: list[Grant]) -> list[set[str]]:
    return [set(g.resource.named) for g in grants if isinstance(g.resource, OnColumns)]


def test_named_columns_follow_the_column() -> None:
    found = renamed({"id": 1, "ip": 2}, {"id": 1, "address": 2}, grant(1, "ip", "id"))

    assert names(found) == [{"address", "id"}]


def test_a_column_that_takes_a_granted_name_does_not_take_the_grant() -> None:
    before = {"id": 1, "salary": 2}

    assert names(renamed(before, {"key": 1, "id": 2}, grant(1, "id"))) == [{"key"}]
    assert renamed(before, {"id": 2}, grant(1, "id")) == []
    assert renamed(before, {"salary": 2, "id": 3}, grant(1, "id")) == []
    assert names(renamed(before, {"salary": 2}, grant(1, "id"))) == [{"id"}]


def test_an_exclusion_stays_on_the_column_and_on_the_name() -> None:
    excluded = grant(1, "ip", excluding=True)

    found = renamed({"id": 1, "ip": 2}, {"id": 1, "address": 2, "ip": 3}, excluded)

    assert names(found) == [{"ip", "address"}]


def test_other_tables_and_whole_tables_are_left_alone() -> None:
    other = replace(grant(1, "id"), resource=OnColumns(A, "ads", "clicks", frozenset({"id"})))
    whole = replace(grant(2), resource=OnTable(A, "ads", "events"))

    assert renamed({"id": 1}, {"key": 1}, other, whole) == [other, whole]


def test_tags_follow_the_column_and_stay_at_the_name() -> None:
    explicit = {"ip": {"class": "private"}, "note": {"class": "open"}}

    swapped = carried_tags(explicit, Renames({"ip": 1, "note": 2}, {"note": 1, "ip": 2}))
    moved = carried_tags(explicit, Renames({"ip": 1, "x": 2}, {"note": 1, "x": 2}))
    plain = carried_tags(explicit, Renames({"x": 2}, {"note": 2}))

    assert swapped == {"note": {"class": "private"}, "ip": {"class": "open"}}
    assert moved == {"note": {"class": "private"}}
    # What was left at a name by a column that is gone is not for the one that takes it.
    assert plain == {"note": {}}


def row_filter(rows: str | None, *named: str) -> DataCellsFilter:
    return DataCellsFilter(table=T, name="f", named=frozenset(named), rows=rows)


@pytest.mark.parametrize(
    ("after", "rows"),
    [
        ({"area": 1, "spend": 2}, '"area" = \'eu\' AND (NOT ("spend" > 3))'),
        ({"spend": 1, "region": 2}, '"spend" = \'eu\' AND (NOT ("region" > 3))'),
        ({"region": 1, "spend": 2, "more": 3}, "region = 'eu' and not spend > 3"),
        ({"region": 2}, None),
        ({"region": 3, "spend": 2}, None),
    ],
)
def test_a_row_filter_looks_at_the_same_columns_or_goes(
    after: dict[str, int], rows: str | None
) -> None:
    found = row_filter("region = 'eu' and not spend > 3", "spend")
    policy = Policy(filters={(T, "f"): found})

    changes = carried(policy, T, Renames({"region": 1, "spend": 2}, after))

    kept = [f.rows for f in changes.filters] or ([] if changes.gone_filters else [found.rows])
    assert kept == ([] if rows is None else [rows])


def test_a_filter_without_a_column_left_goes() -> None:
    policy = Policy(filters={(T, "f"): row_filter(None, "ip")})

    changes = carried(policy, T, Renames({"ip": 1}, {"ip": 2}))

    assert changes.gone_filters == ("f",)


def test_a_filter_that_would_grow_too_long_stops_the_rename() -> None:
    rows = " or ".join(f"region = '{number}'" for number in range(90))
    policy = Policy(filters={(T, "f"): row_filter(rows, "region")})

    with pytest.raises(UsageError, match="too long"):
        carried(policy, T, Renames({"region": 1}, {"r" * 100: 1}))


NAMES = "abcde"
numbered = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 7), min_size=1).map(
    lambda found: {name: number for number, name in {n: k for k, n in found.items()}.items()}
)
some = st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=3)
tags = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from([{"class": "private"}, {"class": "open"}])
)


def _sees(policy: Policy, columns: Mapping[str, int], layers: TagLayers) -> Iterator[int]:
    table = Table(name=T, columns=tuple(Column(name) for name in columns), tags=layers)
    for column in decide(ANA, table, policy, now=0.0).shown():
        yield columns[column.name]


@given(numbered, numbered, st.lists(st.tuples(some, st.booleans()), max_size=3), tags, tags)
def test_no_column_is_seen_after_a_rename_that_was_not_before(
    before: dict[str, int],
    after: dict[str, int],
    grants: list[tuple[frozenset[str], bool]],
    explicit: dict[str, dict[str, str]],
    of_table: dict[str, dict[str, str]],
) -> None:
    renames = Renames(before, after)
    by_tags = Grant(
        id="t",
        account=A,
        principal=ANA.arn,
        resource=TagPolicy(A, PolicyKind.TABLE, Expression.of({"class": ["open"]})),
        permissions=SELECT,
    )
    given_grants = [grant(n, *on, excluding=e) for n, (on, e) in enumerate(grants)]
    policy = Policy(tags={(A, "class"): PRIVATE}, grants=(*given_grants, by_tags))
    inherited = next(iter(of_table.values()), {})
    layers = TagLayers(table=inherited, columns=explicit)

    left = renamed(before, after, *policy.grants)
    moved = {**explicit, **carried_tags(explicit, renames)}

    was = set(_sees(policy, before, layers))
    now = set(
        _sees(replace(policy, grants=tuple(left)), after, TagLayers(table=inherited, columns=moved))
    )
    assert now & set(before.values()) <= was


def test_a_column_that_comes_back_is_a_renamed_one() -> None:
    gone = Numbers({"id": 1, "ip": 2}, {}, 2).followed({"id": 1}, 2)
    back = Renames(gone.known, {"id": 1, "address": 2})

    assert gone.unknown({"id": 1, "address": 2, "new": 3}) == frozenset()
    assert back.moved == {"ip": "address"}
    assert carried_tags({"ip": {"class": "private"}}, back) == {"address": {"class": "private"}}


def test_a_column_that_comes_back_under_its_name_keeps_what_names_it() -> None:
    gone = Numbers({"id": 1, "ip": 2}, {}, 2).followed({"id": 1}, 2)

    assert not Renames(gone.known, {"id": 1, "ip": 2})


def test_a_number_from_before_or_of_a_name_that_was_taken_is_unknown() -> None:
    first = Numbers({"id": 1, "page": 3}, {}, 5)
    taken = Numbers({"ip": 2}, {}, 2).followed({"ip": 3}, 3).followed({"other": 3}, 3)

    assert first.unknown({"id": 1, "page": 3, "back": 2, "inner": 5, "new": 6}) == {"back", "inner"}
    assert taken.former == {}
    assert taken.unknown({"other": 3, "address": 2}) == {"address"}
    assert withheld({"address"}, {"class"}) == {"address": {"class": WITHHELD}}


def test_the_last_number_never_falls_and_former_columns_are_bounded() -> None:
    many = {f"c{number}": number for number in range(MOST_FORMER + 2)}
    gone = Numbers(many, {}, len(many)).followed({"id": 9_000}, 7)

    assert gone.last == 9_000
    assert gone.followed({"id": 9_000}, 8).last == 9_000
    assert len(gone.former) == MOST_FORMER
    assert gone.unknown({"id": 9_000, "x": 0, "y": 2}) == {"x"}


def test_every_exclusion_grows_by_an_unknown_column() -> None:
    both = (grant(1, "ip", excluding=True), grant(2, "ip"))
    found = DataCellsFilter(table=T, name="f", named=frozenset({"ip"}), excluding=True)
    policy = Policy(grants=both, filters={(T, "f"): found})

    changes = unknown_excluded(policy, T, frozenset({"address"}))

    assert names(list(changes.grants)) == [{"ip", "address"}]
    assert [one.named for one in changes.filters] == [{"ip", "address"}]
    assert unknown_excluded(policy, T, frozenset()) == Carried()


@given(numbered, numbered, numbered, tags)
def test_no_column_is_seen_after_it_was_gone_that_was_not_before(
    first: dict[str, int],
    second: dict[str, int],
    third: dict[str, int],
    explicit: dict[str, dict[str, str]],
) -> None:
    by_tags = Grant(
        id="t",
        account=A,
        principal=ANA.arn,
        resource=TagPolicy(A, PolicyKind.TABLE, Expression.of({"class": ["open"]})),
        permissions=SELECT,
    )
    policy = Policy(tags={(A, "class"): PRIVATE}, grants=(by_tags,))
    numbers, layers = Numbers(first, {}, 7), TagLayers(table={"class": "open"}, columns=explicit)
    was = set(_sees(policy, first, layers))
    for after in (second, third):
        moved = carried_tags(layers.columns, Renames(numbers.known, after))
        closed = withheld(numbers.unknown(after), {"class"})
        layers = TagLayers(table=layers.table, columns={**layers.columns, **moved, **closed})
        numbers = numbers.followed(after, 7)

    assert set(_sees(policy, third, layers)) & set(first.values()) <= was


# --- tables whose columns have no numbers -------------------------------------------------------


def test_what_is_added_while_a_tagged_column_vanishes_is_in_doubt() -> None:
    explicit = {"ip": {"class": "private"}, "page": {"owner": "us"}}

    assert in_doubt(["id", "ip", "page"], ["id", "address", "page"], explicit) == {
        "address": {"class": WITHHELD}
    }


def test_without_a_vanished_tag_nothing_is_in_doubt() -> None:
    explicit = {"ip": {"class": "private"}}

    assert in_doubt(["id", "ip"], ["id", "ip", "new"], explicit) == {}
    assert in_doubt(["id", "ip"], ["id"], explicit) == {}
    assert in_doubt(["id", "page"], ["id", "new"], explicit) == {}


def test_tags_that_wait_for_a_name_do_not_open_what_may_be_another_column() -> None:
    explicit = {"ip": {"class": "private"}, "address": {"class": "open"}}

    assert in_doubt(["id", "ip"], ["id", "address"], explicit) == {"address": {"class": WITHHELD}}


def test_an_exclusion_grows_by_what_may_be_the_excluded_column() -> None:
    both = (grant(1, "ip", excluding=True), grant(2, "ip"))
    found = DataCellsFilter(table=T, name="f", named=frozenset({"ip"}), excluding=True)
    policy = Policy(grants=both, filters={(T, "f"): found})

    changes = excluded_too(policy, T, ["id", "ip"], ["id", "address"])

    assert names(list(changes.grants)) == [{"ip", "address"}]
    assert [one.named for one in changes.filters] == [{"ip", "address"}]


COLUMNS = st.lists(st.sampled_from("abcdef"), unique=True, min_size=1)
EXPLICIT = st.dictionaries(
    st.sampled_from("abcdef"),
    st.fixed_dictionaries({"class": st.sampled_from(["private", "open"])}),
)


@given(COLUMNS, COLUMNS, EXPLICIT, st.sampled_from(["open", "private"]))
def test_a_change_of_columns_never_shows_what_could_be_a_hidden_one(
    before: list[str], after: list[str], explicit: dict[str, dict[str, str]], inherited: str
) -> None:
    """If a column of its own tags vanishes, no added column is shown by the tag's key."""
    doubted = in_doubt(before, after, explicit)
    tags = {name: {**explicit.get(name, {}), **doubted.get(name, {})} for name in after}
    layers = TagLayers(database={"class": inherited}, columns={n: t for n, t in tags.items() if t})
    table = Table(name=T, columns=tuple(map(Column, after)), tags=layers)
    by_tag = TagPolicy(A, PolicyKind.TABLE, Expression.of({"class": ["open"]}))
    rule = Grant(id="g1", account=A, principal=ANA.arn, resource=by_tag, permissions=SELECT)
    policy = Policy(tags={(A, "class"): PRIVATE}, grants=(rule,))

    shown = {c.name for c in decide(ANA, table, policy, now=0).shown()}

    if any(name in explicit for name in set(before) - set(after)):
        assert not shown & (set(after) - set(before))
