"""Without the right to read data nobody reads any, whatever grants say."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from lakeveil.core.access.deciding.data_access import DATA_ACCESS, decide_data, may_read_data
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import Outcome
from lakeveil.core.access.permissions import Permission
from lakeveil.core.identity.principal import Principal
from lakeveil.core.identity.rights import (
    Effect,
    Rights,
    Statement,
    business_unit_role,
    from_policy_document,
)
from tests.core.access.random_lakes import NOW, random_lake

ACCOUNT, REGION = "123456789012", "eu-central-1"
UNIT_A = business_unit_role(
    region=REGION, account=ACCOUNT, workgroup="bu-a", output="s3://results/bu-a/"
)
READS = Rights(
    statements=(Statement(effect=Effect.ALLOW, actions=(DATA_ACCESS,), resources=("*",)),)
)


def unit_a(*, without: str = "") -> Rights:
    """The rights of the business unit's role, but for one statement."""
    kept = [entry for entry in UNIT_A["Statement"] if entry["Sid"] != without]
    return from_policy_document(json.dumps({**UNIT_A, "Statement": kept}))


def workgroup(name: str) -> str:
    return f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/{name}"


@pytest.mark.parametrize(
    "action", ["athena:StartQueryExecution", "athena:GetQueryResults", "athena:GetWorkGroup"]
)
def test_a_business_units_role_is_allowed_at_its_workgroup_and_refused_at_anothers(
    action: str,
) -> None:
    rights = unit_a()
    assert rights.allows(action, workgroup("bu-a"))
    for other in ("bu-b", "bu-a-b", "bu-", "*", "BU-A"):
        assert not rights.allows(action, workgroup(other))
    assert not rights.allows(action, "*")


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"])
def test_a_business_units_role_is_refused_at_anothers_output(action: str) -> None:
    rights = unit_a()
    assert rights.allows(action, "arn:aws:s3:::results/bu-a/2026/answer.csv")
    for other in ("results/bu-b/answer.csv", "results/bu-a", "results/bu-ab/x", "other/bu-a/x"):
        assert not rights.allows(action, f"arn:aws:s3:::{other}")


def test_a_business_units_role_may_read_data_and_without_its_third_right_may_not() -> None:
    assert may_read_data(of(unit_a()))
    assert not may_read_data(of(unit_a(without="Data")))
    assert not may_read_data(of(unit_a().limited_to(unit_a(without="Data"))))
    assert not may_read_data(of(Rights()))


@pytest.mark.parametrize("seed", range(150))
def test_without_the_right_to_read_data_no_cell_shows_and_all_else_stays(seed: int) -> None:
    lake = random_lake(random.Random(seed), shared=bool(seed % 2))
    for table in lake.tables:
        for who in lake.principals:
            decided = decide(who, table, lake.policy, now=NOW)
            read = decide_data(
                replace(who, rights=unit_a(without="Data")), table, lake.policy, now=NOW
            )
            assert {column.outcome for column in read.columns} <= {Outcome.HIDDEN}
            assert [c.name for c in read.columns] == [c.name for c in decided.columns]
            assert not any(column.rows or column.grants for column in read.columns)
            assert not read.rows
            assert not read.full_read
            assert Permission.SELECT not in read.permissions | read.grantable | set(read.because)
            assert read.permissions == decided.permissions - {Permission.SELECT}
            assert read.grantable == decided.grantable - {Permission.SELECT}
            assert read.exists == decided.exists


@pytest.mark.parametrize("seed", range(50))
def test_with_the_right_to_read_data_it_is_the_decision(seed: int) -> None:
    lake = random_lake(random.Random(seed))
    for table in lake.tables:
        for who in lake.principals:
            decided = decide(who, table, lake.policy, now=NOW)
            reader = replace(who, rights=READS)
            assert decide_data(reader, table, lake.policy, now=NOW) == decided


def of(rights: Rights) -> Principal:
    """A role with these rights."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/bu-a"
    return Principal(arn=arn, account=ACCOUNT, identities=frozenset({arn}), rights=rights)
