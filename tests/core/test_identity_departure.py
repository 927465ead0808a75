"""Whom an identifier names, and how what goes along with them is told."""

from __future__ import annotations

import pytest

from lakeveil.core.identity import arns
from lakeveil.core.identity.departure import MOST_LISTED, Departure, Tie, leaver
from lakeveil.errors import UsageError

A, B = "123456789012", "210987654321"


@pytest.mark.parametrize(
    ("gone", "named", "others"),
    [
        (arns.user_arn(A, "ana"), [arns.user_arn(A, "ana")],
         [arns.user_arn(A, "ana2"), arns.user_arn(A, "Ana"), arns.group_arn(A, "ana"), A]),
        (arns.issuer_arn(A, "okta"),
         [arns.federated_user_arn(A, "okta", "zoe"), arns.federated_group_arn(A, "okta", "crew"),
          arns.issuer_arn(A, "okta")],
         [arns.federated_user_arn(A, "okta/eu", "zoe"), arns.federated_user_arn(B, "okta", "zoe"),
          arns.federated_group_arn(A, "Okta", "crew"), arns.issuer_arn(A, "okta/eu"), A]),
        (A,
         [A, arns.iam_principals(A), f"arn:aws:iam::{A}:root", arns.user_arn(A, "ana"),
          arns.federated_user_arn(A, "okta", "zoe"), arns.assumed_role_arn(A, "r", "s")],
         [B, arns.iam_principals(B), arns.user_arn(B, A), ""]),
    ],
)  # fmt: skip
def test_whoever_goes_is_named_by_these_and_by_no_other(
    gone: str, named: list[str], others: list[str]
) -> None:
    who = leaver(gone, "id")
    assert all(who.covers(one) for one in named)
    assert not any(who.covers(one) for one in others)


@pytest.mark.parametrize(
    "nobody",
    ["ana", "", arns.iam_principals(A), arns.assumed_role_arn(A, "r", "s"),
     arns.federated_user_arn(A, "okta", "zoe")],
)  # fmt: skip
def test_what_cannot_be_deleted_cannot_go(nobody: str) -> None:
    with pytest.raises(UsageError):
        leaver(nobody, "id")


def test_a_record_counts_all_and_names_so_many() -> None:
    gone = Departure(id="AIDAX", ties={Tie.GRANT: tuple(f"g{n}" for n in range(1_000))})
    record = gone.as_record()
    told = record["grants"]
    assert isinstance(told, dict)
    assert (record["unique_id"], told["count"], len(told["which"])) == ("AIDAX", 1_000, MOST_LISTED)
    assert gone.sentence() == " It takes along: grants: 1000 (g0, g1, g2, g3, g4, ...)."


def test_what_others_named_steers_no_terminal() -> None:
    gone = Departure(ties={Tie.LOCATION: ("s3://a/\x1b[2J", "s3://b"), Tie.GRANT: ()})
    assert gone.sentence().isprintable()
    assert "(s3" not in gone.sentence()
    assert gone.counts() == {"registered locations": 2}
    assert not Departure(ties={Tie.GRANT: ()})
    assert Departure().sentence() == ""
