"""Rights become folders at the store, and never more than the policies say."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakeveil.core.identity.rights import (
    Effect,
    Rights,
    Statement,
    business_unit_role,
    from_policy_document,
)
from lakeveil.core.identity.store_access import ACTIONS, rights_at_store, store_rights_of
from lakeveil.core.store_rights import StoreAction, StoreRight
from tests.sizes import tried

READ, LIST, WRITE = StoreAction.READ, StoreAction.LIST, StoreAction.WRITE
ARN = "arn:aws:s3:::"
OWN = f"{ARN}results/bu-a/*"


def rights(*statements: tuple[str, Any, Any]) -> Rights:
    return from_policy_document(
        json.dumps(
            {
                "Statement": [
                    {"Effect": effect, "Action": action, "Resource": resource}
                    for effect, action, resource in statements
                ]
            }
        )
    )


def folders(held: Rights) -> dict[str, set[StoreAction]]:
    return {f"{r.bucket}/{r.prefix}": set(r.actions) for r in store_rights_of(held)}


# --- what is given ---------------------------------------------------------------------------


def test_a_business_units_role_reads_and_writes_its_output_and_nothing_else() -> None:
    document = business_unit_role(
        region="eu-central-1", account="123456789012", workgroup="bu-a", output="s3://results/bu-a/"
    )
    held = folders(from_policy_document(json.dumps(document)))
    assert {READ, WRITE} <= held.pop("results/bu-a/")
    assert held == {}


@pytest.mark.parametrize("where", [OWN, f"{ARN}results", f"{ARN}res*", "*"])
def test_a_listing_may_be_allowed_on_the_bucket_or_on_the_folder(where: str) -> None:
    held = rights(("Allow", "s3:GetObject", OWN), ("Allow", "s3:List*", where))
    assert folders(held) == {"results/bu-a/": {READ, LIST}}


def test_each_kind_takes_everything_that_it_opens_at_the_store() -> None:
    for kind, actions in ACTIONS.items():
        assert folders(rights(("Allow", actions, OWN))) == {"results/bu-a/": {kind}}
        for left_out in actions if len(actions) > 1 else ():
            fewer = [action for action in actions if action != left_out]
            assert folders(rights(("Allow", fewer, OWN))) == {}
            taken = rights(("Allow", "s3:*", OWN), ("Deny", left_out, OWN))
            assert kind not in folders(taken)["results/bu-a/"]


def test_what_lies_in_a_wider_folder_is_said_once() -> None:
    held = rights(
        ("Allow", "s3:GetObject", [f"{ARN}b00/a/*", f"{ARN}b00/a/b/*"]),
        ("Allow", "s3:*", f"{ARN}b00/a/b/c/*"),
    )
    assert folders(held) == {"b00/a/": {READ}, "b00/a/b/c/": {LIST, WRITE}}


# --- what gives nothing ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "resource",
    [
        "*",
        f"{ARN}*",
        f"{ARN}results",
        f"{ARN}results/*",
        f"{ARN}results/bu-a",
        f"{ARN}results/bu-a*",
        f"{ARN}results/bu-a/",
        f"{ARN}results/bu-?/*",
        f"{ARN}results/*/bu-a/*",
        f"{ARN}results/bu-a/*/x/*",
        f"{ARN}results/bu-a/*.csv",
        f"{ARN}results/bu-a/**",
        f"{ARN}results/bu-a//*",
        f"{ARN}results/../bu-b/*",
        f"{ARN}results/bu$a/*",
        f"{ARN}res*/bu-a/*",
        f"{ARN}Results/bu-a/*",
        "arn:*:s3:::results/bu-a/*",
        "arn:aws-cn:s3:::results/bu-a/*",
        "arn:aws:s3:eu-central-1:123456789012:accesspoint/bu-a/*",
        "arn:aws:glue:::results/bu-a/*",
    ],
)
def test_what_is_no_folder_gives_nothing(resource: str) -> None:
    assert store_rights_of(rights(("Allow", "s3:*", resource))) == []


def test_other_services_and_no_rights_at_all_give_nothing() -> None:
    assert store_rights_of(Rights()) == []
    assert store_rights_of(rights(("Allow", ["athena:*", "s3express:*"], OWN))) == []
    assert store_rights_of(rights(("Deny", "s3:*", OWN))) == []


@pytest.mark.parametrize(
    "resource",
    [
        "*",
        OWN,
        f"{ARN}results/*",
        f"{ARN}results/bu-a/secret/*",
        f"{ARN}results/bu-a/one-object",
        f"{ARN}results/bu-a/",
        f"{ARN}*/secret/*",
        f"{ARN}results/bu-?/x",
        f"{ARN}results/BU-A/secret/*",
        "arn:*:s3:::*-a/*.csv",
    ],
)
def test_a_deny_that_could_match_anything_inside_takes_the_folder_away(resource: str) -> None:
    held = rights(("Allow", "s3:*", OWN), ("Deny", "s3:getobject", resource))
    assert folders(held) == {"results/bu-a/": {LIST, WRITE}}


@pytest.mark.parametrize(
    "resource",
    [f"{ARN}results/bu-b/*", f"{ARN}results/bu-a", f"{ARN}results", f"{ARN}?/x", "arn:aws:x:::*"],
)
def test_a_deny_elsewhere_leaves_it(resource: str) -> None:
    held = rights(("Allow", "s3:GetObject", OWN), ("Deny", "s3:*", resource))
    assert folders(held) == {"results/bu-a/": {READ}}


@pytest.mark.parametrize("resource", [f"{ARN}results", f"{ARN}r*", f"{ARN}Results", OWN])
def test_a_listing_that_is_denied_of_bucket_or_folder_is_none(resource: str) -> None:
    held = rights(("Allow", "s3:*", [OWN, f"{ARN}results"]), ("Deny", "s3:ListBucket", resource))
    assert folders(held) == {"results/bu-a/": {READ, WRITE}}


# --- limits ----------------------------------------------------------------------------------


def test_a_session_policy_narrows_actions_and_folders() -> None:
    own = rights(("Allow", "s3:*", OWN))
    only_read = own.limited_to(rights(("Allow", "s3:GetObject", "*")))
    assert folders(only_read) == {"results/bu-a/": {READ}}
    one_day = own.limited_to(rights(("Allow", "s3:*", f"{ARN}results/bu-a/2026/*")))
    assert folders(one_day) == {"results/bu-a/2026/": set(StoreAction)}
    elsewhere = own.limited_to(rights(("Allow", "s3:*", f"{ARN}results/bu-b/*")))
    assert folders(elsewhere) == {}
    denied = own.limited_to(rights(("Allow", "*", "*"), ("Deny", "s3:Put*", OWN)))
    assert folders(denied) == {"results/bu-a/": {READ, LIST}}
    assert folders(own.limited_to(Rights())) == {}


def test_who_may_do_anything_opens_only_the_folder_that_a_session_policy_names() -> None:
    anything = rights(("Allow", "*", "*"))
    assert folders(anything) == {}
    assert folders(anything.limited_to(rights(("Allow", "s3:GetObject", OWN)))) == {
        "results/bu-a/": {READ}
    }


# --- what a key is let in for ----------------------------------------------------------------


def test_capital_letters_open_to_long_lived_keys_only() -> None:
    held = rights(("Allow", "s3:*", [OWN, f"{ARN}results/Sales/*"]))
    kept = rights_at_store(held, temporary=False)
    assert [right.prefix for right in kept] == ["Sales/", "bu-a/"]
    assert [right.prefix for right in rights_at_store(held, temporary=True)] == ["bu-a/"]


def test_a_closed_bucket_opens_to_no_key_whatever_a_policy_says() -> None:
    held = rights(("Allow", "s3:*", [OWN, f"{ARN}photos/all/*"]))
    for temporary in (True, False):
        kept = rights_at_store(held, temporary=temporary, closed_buckets={"photos"})
        assert [right.bucket for right in kept] == ["results"]


# --- never wider, by brute force -------------------------------------------------------------

# Few words, so that patterns, folders and objects meet often.
names = st.sampled_from(["a", "b", "A", "ab", "x"])
pieces = st.sampled_from(["a", "b", "A", "x", "/", "*", "?", "/*", "a/", "b/", "/a/*"])
folder_patterns = st.builds(
    "{}{}/{}/*".format, st.just(ARN), st.sampled_from(["b00", "b00", "b11"]), names
)
patterns = st.one_of(
    st.just("*"),
    folder_patterns,
    folder_patterns,
    st.builds("{}b00/{}/{}/*".format, st.just(ARN), names, names),
    st.builds("{}{}".format, st.just(ARN), st.sampled_from(["b00", "b11", "b*", "b?0", "B00"])),
    st.lists(pieces, max_size=4).map(lambda found: f"{ARN}b00/{''.join(found)}"),
    st.lists(pieces, max_size=3).map(lambda found: f"arn:aws:s3:{'*'.join(found)}"),
)
action_names = st.sampled_from(
    ["*", "s3:*", "s3:*", "S3:*Object", "s3:?etObject", "glue:*", *sum(ACTIONS.values(), ())]
)
statements = st.builds(
    Statement,
    effect=st.sampled_from([Effect.ALLOW, Effect.ALLOW, Effect.ALLOW, Effect.DENY]),
    actions=st.lists(action_names, min_size=1, max_size=3).map(tuple),
    resources=st.lists(patterns, min_size=1, max_size=2).map(tuple),
)
plain = st.lists(statements, max_size=4).map(lambda found: Rights(statements=tuple(found)))
held_rights = st.builds(
    lambda own, limits: Rights(statements=own.statements, within=tuple(limits)),
    plain,
    st.lists(plain, max_size=2),
)


def objects() -> Iterator[tuple[str, str]]:
    """Every key of up to four letters in two buckets, of those that tell folders apart."""
    for bucket in ("b00", "b11"):
        for length in range(5):
            for letters in itertools.product("aAb/x", repeat=length):
                yield bucket, "".join(letters)


OBJECTS = list(objects())


def opened(kept: list[StoreRight], kind: StoreAction, bucket: str, key: str) -> bool:
    return any(
        kind in right.actions and right.bucket == bucket and key.startswith(right.prefix)
        for right in kept
    )


@settings(deadline=None, max_examples=tried(100, every=300))
@given(held_rights)
@example(rights(("Allow", "*", f"{ARN}b00/a/*"), ("Deny", "s3:GetObject", f"{ARN}b00/?/a*b")))
@example(rights(("Allow", "s3:*", [f"{ARN}b00/a/*", f"{ARN}b00"]), ("Deny", "s3:*", f"{ARN}b?0")))
@example(rights(("Allow", "s3:List*", f"{ARN}b00/a/*"), ("Allow", "s3:Get*", f"{ARN}b00/a/")))
def test_the_store_opens_nothing_that_the_rights_do_not_allow(held: Rights) -> None:
    kept = store_rights_of(held)
    for kind, (bucket, key) in itertools.product(StoreAction, OBJECTS):
        if opened(kept, kind, bucket, key):
            for action in ACTIONS[kind]:
                asked = (action, bucket, key)
                assert listed(held, *asked) if kind is LIST else allowed(held, *asked), asked


def allowed(held: Rights, action: str, bucket: str, key: str) -> bool:
    return held.allows(action, f"{ARN}{bucket}/{key}")


def listed(held: Rights, action: str, bucket: str, key: str) -> bool:
    """Allowed on the bucket or on what lies there, and denied of neither; by each limit, too."""
    places = [f"{ARN}{bucket}", f"{ARN}{bucket}/{key}"]
    effects = {
        statement.effect
        for statement in held.statements
        for place in places
        if statement.matches(action, place)
    }
    return effects == {Effect.ALLOW} and all(
        listed(limit, action, bucket, key) for limit in held.within
    )


@given(plain, st.sampled_from([READ, LIST, WRITE]))
def test_a_deny_never_adds_and_an_allow_never_takes(held: Rights, kind: StoreAction) -> None:
    deny = Statement(effect=Effect.DENY, actions=ACTIONS[kind], resources=(f"{ARN}b00/a/*",))
    fewer = store_rights_of(Rights(statements=(*held.statements, deny)))
    every = store_rights_of(held)
    for right in fewer:
        for action in right.actions:
            assert opened(every, action, right.bucket, f"{right.prefix}x")
    assert not opened(fewer, kind, "b00", "a/x")
