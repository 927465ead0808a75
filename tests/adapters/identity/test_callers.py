"""Whose key a key is, and that nobody else's secret is anywhere."""

from __future__ import annotations

import pytest

from lakeveil.core.identity import arns
from lakeveil.errors import Refused, UsageError
from tests.adapters.identity.sessions import HOUR, NOBODY, as_role, refuses
from tests.identity_parts import ACCOUNT, OTHER, Identity, allow, policy


def test_a_users_key_speaks_for_the_user_and_its_groups(identity: Identity) -> None:
    key = identity.user("ana", allow("glue:GetTable"))
    identity.store.directory.create_group(ACCOUNT, "analysts", policy=policy(allow("athena:*")))
    identity.store.directory.add_member(ACCOUNT, "analysts", "ana")
    who = identity.store.principal_of(key.access_key_id)
    assert who.arn == who.caller_arn == arns.user_arn(ACCOUNT, "ana")
    assert who.user_id.startswith("AIDA")
    assert who.identities == {
        arns.user_arn(ACCOUNT, "ana"),
        arns.group_arn(ACCOUNT, "analysts"),
        arns.iam_principals(ACCOUNT),
    }
    assert who.rights.allows("glue:GetTable", "*")
    assert who.rights.allows("athena:StartQueryExecution", "*")
    assert not who.rights.allows("s3:GetObject", "*")


def test_a_user_without_a_policy_may_call_nothing(identity: Identity) -> None:
    key = identity.user("ana")
    assert not identity.store.principal_of(key.access_key_id).rights.allows("glue:GetTable", "*")


def test_groups_of_the_same_name_in_another_account_are_others(identity: Identity) -> None:
    key = identity.user("ana")
    for account in (ACCOUNT, OTHER):
        identity.store.directory.create_group(account, "analysts", policy=policy(allow()))
    identity.store.directory.create_user(OTHER, "ana")
    identity.store.directory.add_member(OTHER, "analysts", "ana")
    who = identity.store.principal_of(key.access_key_id)
    assert not who.rights.allows("glue:GetTable", "*")
    assert arns.group_arn(ACCOUNT, "analysts") not in who.identities


def test_a_roles_session_speaks_for_the_role_and_not_for_who_opened_it(identity: Identity) -> None:
    ana = identity.user("ana", allow("s3:*"))
    identity.role("bu-a", NOBODY, allow("athena:*"))
    key = as_role(identity, parent=ana.access_key_id, tags={"team": "x"})
    who = identity.store.principal_of(key.access_key_id)
    assert who.arn == arns.role_arn(ACCOUNT, "bu-a")
    assert who.session_arn == who.caller_arn == arns.assumed_role_arn(ACCOUNT, "bu-a", "ana")
    assert who.user_id.startswith("AROA")
    assert who.user_id.endswith(":ana")
    assert who.session_tags == {"team": "x"}
    assert who.identities == {who.arn, arns.iam_principals(ACCOUNT)}
    assert who.rights.allows("athena:GetWorkGroup", "*")
    assert not who.rights.allows("s3:GetObject", "*")


def test_a_session_policy_cuts_the_roles_rights_down(identity: Identity) -> None:
    identity.role("bu-a", NOBODY, allow("athena:*"))
    key = as_role(identity, policy=policy(allow("athena:Get*"), allow("s3:*")))
    rights = identity.store.principal_of(key.access_key_id).rights
    assert rights.allows("athena:GetWorkGroup", "*")
    assert not rights.allows("athena:StartQueryExecution", "*")
    assert not rights.allows("s3:GetObject", "*")


def test_a_key_has_the_shape_that_clients_expect_and_says_which_kind_it_is(
    identity: Identity,
) -> None:
    long_lived = identity.user("ana")
    identity.role("bu-a", NOBODY)
    temporary = as_role(identity)
    assert len(long_lived.access_key_id) == len(temporary.access_key_id) == 20
    assert long_lived.access_key_id.startswith("LVIA")
    assert temporary.access_key_id.startswith("ASIA")
    assert len(long_lived.secret_access_key) == 40


def test_a_sessions_key_is_good_with_its_own_token_only(identity: Identity) -> None:
    identity.role("bu-a", NOBODY)
    key, other = as_role(identity), as_role(identity)
    store = identity.store
    assert store.secret_of(key.access_key_id, key.session_token) == key.secret_access_key
    for token in (None, "", "x", other.session_token, key.session_token + "x", "\ud800"):
        assert store.secret_of(key.access_key_id, token) is None


def test_a_users_key_is_good_without_a_token_only(identity: Identity) -> None:
    key = identity.user("ana")
    assert identity.store.secret_of(key.access_key_id) == key.secret_access_key
    assert identity.store.secret_of(key.access_key_id, "x") is None


@pytest.mark.parametrize("key_id", ["", "x", "LVIA" + "A" * 16, "LVIA' OR 1=1 --", "a" * 10_000])
def test_an_unknown_key_is_refused(identity: Identity, key_id: str) -> None:
    assert identity.store.secret_of(key_id) is None
    with pytest.raises(Refused):
        identity.store.principal_of(key_id)


def test_neither_secrets_nor_tokens_are_in_the_state_or_in_what_is_printed(
    identity: Identity,
) -> None:
    key = identity.user("ana")
    identity.role("bu-a", NOBODY)
    temporary = as_role(identity)
    kept = identity.record_text()
    assert key.access_key_id in kept
    for secret in (key.secret_access_key, temporary.secret_access_key, temporary.session_token):
        assert secret not in kept
        assert secret not in repr(key) + repr(temporary)
    for live in identity.store.callers.live_keys():
        assert live.secret_access_key not in repr(live)


def test_a_user_has_two_keys_at_most(identity: Identity) -> None:
    first = identity.user("ana")
    identity.store.keys.create(ACCOUNT, "ana")
    with pytest.raises(UsageError) as refusal:
        identity.store.keys.create(ACCOUNT, "ana")
    assert refusal.value.code == "limit_exceeded"
    identity.store.keys.delete(first.access_key_id)
    identity.store.keys.create(ACCOUNT, "ana")


def test_a_key_is_rotated_without_a_gap(identity: Identity) -> None:
    old = identity.user("ana")
    new = identity.store.keys.create(ACCOUNT, "ana")
    identity.store.keys.set_active(old.access_key_id, active=False)
    assert refuses(identity.store, old)
    assert not refuses(identity.store, new)
    identity.store.keys.set_active(old.access_key_id, active=True)
    assert not refuses(identity.store, old)


def test_a_key_ends_when_it_should(identity: Identity) -> None:
    identity.store.directory.create_user(ACCOUNT, "ana")
    key = identity.store.keys.create(ACCOUNT, "ana", expires_at=identity.clock.now() + HOUR)
    identity.clock.sleep(HOUR - 1)
    assert not refuses(identity.store, key)
    identity.clock.sleep(1)
    assert refuses(identity.store, key)


def test_a_key_that_would_never_be_good_is_not_made(identity: Identity) -> None:
    identity.store.directory.create_user(ACCOUNT, "ana")
    with pytest.raises(UsageError):
        identity.store.keys.create(ACCOUNT, "ana", expires_at=identity.clock.now())


def test_when_a_key_was_last_used_is_known_to_the_hour(identity: Identity) -> None:
    key = identity.user("ana")
    identity.store.secret_of(key.access_key_id)
    assert identity.store.keys.find(key.access_key_id).last_used_at is None
    identity.store.principal_of(key.access_key_id)
    first = identity.clock.now()
    identity.clock.sleep(HOUR - 1)
    identity.store.principal_of(key.access_key_id)
    assert identity.store.keys.find(key.access_key_id).last_used_at == first
    identity.clock.sleep(1)
    identity.store.principal_of(key.access_key_id)
    assert identity.store.keys.find(key.access_key_id).last_used_at == identity.clock.now()


def test_live_keys_are_those_that_would_be_accepted_now(identity: Identity) -> None:
    good, disabled = identity.user("ana"), identity.user("bob")
    identity.role("bu-a", NOBODY)
    session, ended = as_role(identity), as_role(identity, parent=disabled.access_key_id)
    expired = as_role(identity, expires_at=identity.clock.now() + 1)
    identity.store.keys.set_active(disabled.access_key_id, active=False)
    identity.clock.sleep(1)
    live = {key.access_key_id: key for key in identity.store.callers.live_keys()}
    assert set(live) == {good.access_key_id, session.access_key_id}
    assert live[good.access_key_id].secret_access_key == good.secret_access_key
    assert not live[good.access_key_id].temporary
    assert live[session.access_key_id].temporary
    assert refuses(identity.store, ended)
    assert refuses(identity.store, expired)


def test_the_version_tells_of_changes_and_of_new_keys(identity: Identity) -> None:
    identity.role("bu-a", NOBODY)
    identity.store.directory.create_user(ACCOUNT, "ana")
    before = identity.store.callers.version()
    key = identity.store.keys.create(ACCOUNT, "ana")
    as_role(identity)
    issued = identity.store.callers.version()
    assert issued == (before[0], before[1] + 2)
    identity.store.keys.delete(key.access_key_id)
    assert identity.store.callers.version() == (issued[0] + 1, issued[1])
