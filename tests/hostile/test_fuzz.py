"""Random queries over random lakes: no value comes out that may not, and none is missing.

`FUZZ_SEED=7` replays a run; the seed is printed with whatever fails.
"""

from __future__ import annotations

import os
import random
import time
from functools import partial

import pytest

from lakeveil.sql.relations import CheckedQuery
from tests.hostile.attempts import Outcome
from tests.hostile.fuzz import Campaign, World, judged, random_world
from tests.hostile.fuzz_engine import EngineWorld
from tests.hostile.grammar import Query
from tests.hostile.in_process import outcome_of
from tests.stack_fixture import Weed

FEW, MANY = 400, 20_000
_CI_SEED = 20_261


def test_what_comes_out_of_random_queries_may_be_seen_and_is_all_that_may() -> None:
    campaign = Campaign(seed=_CI_SEED)
    campaign.go(FEW)
    _judge(campaign, FEW)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_comes_out_of_many_random_queries_may_be_seen() -> None:
    campaign = Campaign(seed=_seed())
    campaign.go(MANY)
    _judge(campaign, MANY)


@pytest.mark.slow
def test_the_real_engine_says_what_the_permitted_copy_says(
    weed: Weed, tmp_path_factory: pytest.TempPathFactory
) -> None:
    seed = _seed()
    campaign = Campaign(seed=seed)
    with EngineWorld(weed, tmp_path_factory.mktemp("fuzz")) as engine:
        engine.go(campaign, worlds=10, a_world=30)
    _judge(campaign, 300)


def test_the_fuzzer_notices_a_value_that_may_not_come_out() -> None:
    noticed = 0
    for seed in range(20):
        world = random_world(random.Random(seed))
        for one in world.lake.stored:
            if one.rows and len(world.lake.permitted(one)) not in {0, len(one.rows)}:
                query = Query(sql=f"SELECT * FROM {one.table.name.table}")
                verdict = judged(world, query, partial(_all_of, world))
                assert verdict.wrong, query
                noticed += 1
    assert noticed > 5


def _all_of(world: World, checked: CheckedQuery) -> Outcome:
    """What a query would give without its governed views."""
    with world.engine.cursor() as cursor:
        for used, stored in world.lake.used(checked):
            text = f"FROM full_{stored.table.name.table}"
            cursor.execute(f'CREATE OR REPLACE TEMP VIEW "{used.alias}" AS {text}')
        return outcome_of(cursor, checked, barrier=False)


def _judge(campaign: Campaign, count: int) -> None:
    assert campaign.wrong == []
    assert campaign.ran + campaign.refused + campaign.failed == count
    assert campaign.ran > count * 0.6, "most of what it writes has to run"
    assert campaign.hidden > count // 100, "some of it has to name what is hidden"


def _seed() -> int:
    seed = int(os.environ.get("FUZZ_SEED", int(time.time())))
    print(f"FUZZ_SEED={seed}")  # noqa: T201 - for who replays it
    return seed
