"""Requests for access in a real database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from lakeveil.adapters.access_requests import SqlAccessRequests
from lakeveil.adapters.tables.requests import access_requests
from lakeveil.core.access.explaining.access_requests import (
    ANSWER_WITHIN_S,
    AccessRequest,
    RequestState,
)
from lakeveil.core.access.grants import TableName
from lakeveil.errors import Conflict, Unavailable
from tests.new_database import new_database

HOME = "111111111111"
ASKED = AccessRequest(
    id="",
    requester="arn:aws:iam::111111111111:user/ana",
    requester_account=HOME,
    table=TableName(HOME, "d", "t"),
    columns=("größe", 'a"b,c'),
    reason="it's; needed -- now",
    asked_at=10.0,
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = new_database(tmp_path / "state.db")
    yield engine
    engine.dispose()


@pytest.fixture
def requests(engine: sa.Engine) -> SqlAccessRequests:
    return SqlAccessRequests(engine)


def test_a_request_is_found_as_it_was_kept(requests: SqlAccessRequests) -> None:
    kept = requests.add(ASKED)
    assert kept == replace(ASKED, id=kept.id)
    assert kept.id
    assert requests.find(kept.id) == kept
    answered = replace(
        kept,
        state=RequestState.APPROVED,
        answered_by="x",
        answered_at=11.0,
        until=12.0,
        grant="g1",
        own=True,
    )
    requests.replace(kept, answered)
    assert requests.find(kept.id) == answered
    assert requests.find("nope") is None


def test_ids_are_not_guessed(requests: SqlAccessRequests) -> None:
    assert len({requests.add(ASKED).id for _ in range(20)}) == 20


def test_lists_have_the_longest_waiting_first(requests: SqlAccessRequests) -> None:
    later = requests.add(replace(ASKED, asked_at=20.0))
    first = requests.add(ASKED)
    other = requests.add(replace(ASKED, table=TableName("222222222222", "d", "t"), asked_at=5.0))
    requests.replace(later, replace(later, state=RequestState.DENIED))
    assert [one.id for one in requests.of_account(HOME)] == [first.id, later.id]
    pending = requests.of_account(HOME, states=frozenset({RequestState.PENDING}))
    assert [one.id for one in pending] == [first.id]
    assert [one.id for one in requests.of_requester(ASKED.requester)] == [
        other.id,
        first.id,
        later.id,
    ]
    assert requests.of_requester("nobody") == []


@pytest.mark.parametrize(
    ("kept", "end"),
    [
        (ASKED, ASKED.asked_at + ANSWER_WITHIN_S),
        (replace(ASKED, state=RequestState.EMERGENCY, answered_at=10.0, until=50.0), 50.0),
        (replace(ASKED, state=RequestState.APPROVED, answered_at=20.0, until=60.0), 60.0),
        (replace(ASKED, state=RequestState.DENIED, answered_at=30.0), 30.0),
        (replace(ASKED, state=RequestState.WITHDRAWN, answered_at=40.0), 40.0),
    ],
    ids=lambda one: one.state if isinstance(one, AccessRequest) else "",
)
def test_those_that_had_ended_by_a_time_can_be_left_out(
    requests: SqlAccessRequests, kept: AccessRequest, end: float
) -> None:
    found = requests.add(kept)
    assert found.ends_at == end
    assert requests.of_account(HOME, since=end - 1) == [found]
    assert requests.of_account(HOME, since=end) == []
    assert requests.of_account(HOME, states=frozenset({kept.state}), since=end - 1) == [found]


def test_what_somebody_else_changed_is_not_changed_again(requests: SqlAccessRequests) -> None:
    kept = requests.add(ASKED)
    requests.replace(kept, replace(kept, state=RequestState.DENIED))
    with pytest.raises(Conflict):
        requests.replace(kept, replace(kept, state=RequestState.APPROVED))
    found = requests.find(kept.id)
    assert found is not None
    assert found.state is RequestState.DENIED


def test_the_table_is_as_its_migration_makes_it(engine: sa.Engine) -> None:
    there = {column["name"]: column for column in sa.inspect(engine).get_columns("access_requests")}
    assert list(there) == [column.name for column in access_requests.columns]
    for column in access_requests.columns:
        assert there[column.name]["nullable"] == bool(column.nullable), column.name


def test_a_database_that_does_not_answer_is_unavailable(
    requests: SqlAccessRequests, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE access_requests")
    with pytest.raises(Unavailable):
        requests.add(ASKED)
    with pytest.raises(Unavailable):
        requests.of_account(HOME)
