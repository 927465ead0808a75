"""Policies are read as IAM's, and whatever is not judged here is refused when it is written."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.identity.rights import (
    Rights,
    business_unit_role,
    from_policy_document,
)
from lakeveil.core.identity.wildcards import matches
from lakeveil.errors import UsageError

WORKGROUP = "arn:aws:athena:eu-central-1:123456789012:workgroup/"


def policy(*statements: dict[str, Any], **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*") -> dict[str, Any]:
    return {**allow(action, resource), "Effect": "Deny"}


def test_nothing_is_allowed_where_nothing_is_said() -> None:
    assert not Rights().allows("glue:GetTable", "*")


def test_what_no_statement_matches_is_refused() -> None:
    rights = from_policy_document(policy(allow("glue:Get*", "arn:aws:glue:*:*:table/*")))
    assert rights.allows("glue:GetTable", "arn:aws:glue:eu:123456789012:table/d/t")
    assert not rights.allows("glue:DeleteTable", "arn:aws:glue:eu:123456789012:table/d/t")
    assert not rights.allows("glue:GetTable", "arn:aws:glue:eu:123456789012:database/d")


def test_deny_beats_allow_in_whichever_order() -> None:
    for statements in ([allow(), deny("s3:*")], [deny("s3:*"), allow()]):
        rights = from_policy_document(policy(*statements))
        assert rights.allows("glue:GetTable", "arn:aws:glue:::x")
        assert not rights.allows("s3:GetObject", "arn:aws:s3:::b/k")


def test_actions_compare_without_case_and_resources_with_it() -> None:
    rights = from_policy_document(policy(allow("S3:getobject", "arn:aws:s3:::Bucket/*")))
    assert rights.allows("s3:GetObject", "arn:aws:s3:::Bucket/k")
    assert not rights.allows("s3:GetObject", "arn:aws:s3:::bucket/k")


def test_a_single_statement_and_single_texts_are_lists_of_one() -> None:
    rights = from_policy_document('{"Statement": ' + json.dumps(allow("a:B", "*")) + "}")
    assert rights.allows("a:B", "anything")


def test_a_limit_only_takes_away() -> None:
    own = from_policy_document(policy(allow("s3:*", "arn:aws:s3:::a/*")))
    limit = from_policy_document(policy(allow("s3:GetObject"), allow("glue:*")))
    limited = own.limited_to(limit)
    assert limited.allows("s3:GetObject", "arn:aws:s3:::a/k")
    assert not limited.allows("s3:PutObject", "arn:aws:s3:::a/k")
    assert not limited.allows("glue:GetTable", "arn:aws:glue:::t")


def test_the_statements_of_groups_add_up_and_a_deny_of_one_holds_for_all() -> None:
    own = from_policy_document(policy(allow("glue:GetTable")))
    group = from_policy_document(policy(allow("glue:GetDatabase"), deny("glue:GetTable")))
    joined = own.joined([group])
    assert joined.allows("glue:GetDatabase", "*")
    assert not joined.allows("glue:GetTable", "*")


@pytest.mark.parametrize(
    "statement",
    [
        allow(Condition={"StringEquals": {"aws:username": "ana"}}),
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "NotResource": "*"},
        allow(Principal="*"),
        {"Effect": "allow", "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Action": "*"},
        {"Effect": "Allow", "Resource": "*"},
        allow(action=[]),
        allow(action=["glue:GetTable", 7]),
        allow(action="GetTable"),
        allow(action="glue:Get Table"),
        allow(resource="s3://bucket/prefix"),
        allow(resource=""),
        allow(resource="arn:aws:s3:::home/${aws:username}/*"),
        allow(Sid="not a sid"),
    ],
)
def test_a_statement_that_is_not_judged_here_is_refused(statement: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refusal:
        from_policy_document(policy(allow(), statement))
    assert refusal.value.code == "malformed_policy_document"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"Statement": []}',
        '{"Statement": ["Allow"]}',
        policy(allow(), Version="2030-01-01"),
        policy(allow(), Surprise=1),
        "[" * 5000,
        '{"Statement": {"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}}',
        policy(allow(resource="arn:aws:s3:::" + "x" * 11_000)),
    ],
)
def test_what_is_no_policy_document_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        from_policy_document(text)


def test_a_business_units_role_has_three_rights_only() -> None:
    document = business_unit_role(
        region="eu-central-1", account="123456789012", workgroup="bu-a", output="s3://out/bu-a/"
    )
    rights = from_policy_document(json.dumps(document))
    assert rights.allows("athena:StartQueryExecution", WORKGROUP + "bu-a")
    assert rights.allows("s3:GetObject", "arn:aws:s3:::out/bu-a/results/1.csv")
    assert rights.allows("lakeformation:GetDataAccess", "*")
    for action, resource in [
        ("athena:StartQueryExecution", WORKGROUP + "bu-b"),
        ("athena:StartQueryExecution", WORKGROUP + "bu-a2"),
        ("s3:GetObject", "arn:aws:s3:::out/bu-b/results/1.csv"),
        ("s3:GetObject", "arn:aws:s3:::out/bu-a"),
        ("s3:GetObject", "arn:aws:s3:::out/bu-a2/x"),
        ("s3:PutObjectAcl", "arn:aws:s3:::out/bu-a/x"),
        ("lakeformation:GrantPermissions", "*"),
        ("glue:GetTable", "*"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/bu-b"),
    ]:
        assert not rights.allows(action, resource), (action, resource)


@pytest.mark.parametrize(
    "change",
    [
        {"output": "s3://out/"},
        {"output": "s3://out/bu-*/"},
        {"output": "s3://*/bu-a/"},
        {"output": "s3://out/bu-a"},
        {"output": "s3://out/${x}/"},
        {"workgroup": "*"},
        {"workgroup": "bu-?"},
        {"workgroup": ""},
        {"account": "*"},
        {"account": "\u0661" * 12},
        {"region": "*"},
    ],
)
def test_a_business_units_role_cannot_reach_beyond_the_unit(change: dict[str, str]) -> None:
    parts = {
        "region": "eu-central-1",
        "account": "123456789012",
        "workgroup": "bu-a",
        "output": "s3://out/bu-a/",
    }
    with pytest.raises(UsageError):
        business_unit_role(**{**parts, **change})


@given(st.text("ab*?", max_size=8), st.text("ab\n", max_size=8))
def test_wildcards_match_as_the_plainest_reading_of_them_does(pattern: str, text: str) -> None:
    def plainly(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(plainly(pattern[1:], text[i:]) for i in range(len(text) + 1))
        return bool(text) and pattern[0] in {"?", text[0]} and plainly(pattern[1:], text[1:])

    assert matches(pattern, text) == plainly(pattern, text)


@given(st.text(max_size=20))
def test_a_text_without_wildcards_matches_itself_alone(text: str) -> None:
    if "*" not in text and "?" not in text:
        assert matches(text, text)
        assert not matches(text, text + "x")


def test_no_pattern_takes_long() -> None:
    began = time.perf_counter()
    assert not matches("a*" * 1000 + "b", "a" * 5000)
    assert time.perf_counter() - began < 1.0


STATEMENTS = st.lists(
    st.builds(
        lambda effect, action, resource: {
            "Effect": effect, "Action": action, "Resource": resource,
        },
        st.sampled_from(["Allow", "Deny"]),
        st.sampled_from(["*", "a:*", "a:B", "b:?"]),
        st.sampled_from(["*", "arn:aws:x:::one", "arn:aws:x:::*"]),
    ),
    min_size=1, max_size=4,
)  # fmt: skip
CALLS = st.tuples(
    st.sampled_from(["a:B", "a:C", "b:D"]), st.sampled_from(["arn:aws:x:::one", "arn:aws:y:::two"])
)


@given(STATEMENTS, STATEMENTS, CALLS)
def test_a_limited_session_may_call_what_both_allow(
    own: list[dict[str, Any]], limit: list[dict[str, Any]], call: tuple[str, str]
) -> None:
    rights, limits = from_policy_document(policy(*own)), from_policy_document(policy(*limit))
    both = rights.allows(*call) and limits.allows(*call)
    assert rights.limited_to(limits).allows(*call) == both


@given(STATEMENTS, STATEMENTS, CALLS)
def test_an_added_deny_never_allows_more(
    own: list[dict[str, Any]], added: list[dict[str, Any]], call: tuple[str, str]
) -> None:
    denies = [{**statement, "Effect": "Deny"} for statement in added]
    if from_policy_document(policy(*own, *denies)).allows(*call):
        assert from_policy_document(policy(*own)).allows(*call)
