"""Hostile statements, at all walls and at the guard alone."""

from __future__ import annotations

import pytest

from tests.hostile.attempts import statements
from tests.hostile.canary_lake import OWNER, canary_lake, leaks
from tests.hostile.decided import DecidedLake
from tests.hostile.in_process import GuardAlone, Permitted, asked
from tests.hostile.judging import wrong
from tests.hostile.real_walls import RealWalls

GROUPS = sorted({one.group for one in statements()})
LEAST = 150


def test_there_are_enough_of_them_of_every_sort() -> None:
    found = statements()
    assert len(found) >= LEAST
    assert len(GROUPS) == 19
    assert sum(one.allowed for one in found) >= 50, "what only refuses proves little"


def test_the_canaries_are_found_where_they_are(lake: DecidedLake) -> None:
    said = "\n".join(repr(dict(row)) for one in lake.stored for row in one.rows)
    assert leaks(said, asked="") == {
        "a hidden column",
        "a masked value",
        "a hidden row",
        "a hidden table",
        "a hidden name",
    }
    assert leaks("http://x/y?X-Amz-Signature=1", asked="") == {"a path or URL"}
    assert leaks("region = 'EU' AND note <> 'CANARY_POLICY'", asked="") == {"the policy"}
    assert leaks(b"CANARY".hex(), asked="") == {"an encoded value"}
    seen = "\n".join(repr(row) for one in lake.stored for row in lake.permitted(one))
    assert leaks(seen, asked="") == frozenset()


@pytest.mark.parametrize("group", GROUPS)
def test_the_guard_alone_lets_nothing_through(
    guard: GuardAlone, permitted: Permitted, group: str
) -> None:
    owner = canary_lake(OWNER)
    found = {}
    for plain in statements(group):
        if not plain.stopped:
            one = plain.knowing(guard.known)
            # Its owner asks first: what is kept of that must not serve who may see less.
            asked(one, owner)
            found[one.sql] = wrong(one, guard.tried(one), permitted)
    assert {sql: why for sql, why in found.items() if why} == {}


@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("group", GROUPS)
def test_all_walls_let_nothing_through(  # noqa: PLR0917 - fixtures
    walls: RealWalls,
    permitted: Permitted,
    group: str,
    strict: bool,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = {}
    for plain in statements(group):
        one = plain.knowing(walls.known)
        found[one.sql] = wrong(one, walls.all_walls(one, strict=strict), permitted)
        said = "\n".join((*capfd.readouterr(), caplog.text))
        found[one.sql] = found[one.sql] or ", ".join(leaks(said, asked=one.asked))
        caplog.clear()
    assert {sql: why for sql, why in found.items() if why} == {}
