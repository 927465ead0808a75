"""What is taken away is gone at the next call, in every process."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from lakeveil.adapters.identity import IdentityStore
from lakeveil.adapters.tables.identity import identity_sessions
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import LONGEST_SESSION_S, Issuer, Session
from lakeveil.errors import NotFound, Refused, Unavailable
from tests.adapters.identity.sessions import HOUR, NOBODY, as_role, opened, refuses
from tests.identity_parts import ACCOUNT, Identity, allow, policy


def test_a_key_that_another_process_disables_is_refused_at_the_next_call(
    identity: Identity, elsewhere: IdentityStore
) -> None:
    key = identity.user("ana")
    assert not refuses(elsewhere, key)
    identity.store.keys.set_active(key.access_key_id, active=False)
    assert refuses(elsewhere, key)


def test_a_key_that_another_process_deletes_is_refused_at_the_next_call(
    identity: Identity, elsewhere: IdentityStore
) -> None:
    key = identity.user("ana")
    assert not refuses(elsewhere, key)
    identity.store.keys.delete(key.access_key_id)
    assert refuses(elsewhere, key)


def test_a_deleted_users_keys_and_sessions_end_at_once(
    identity: Identity, elsewhere: IdentityStore
) -> None:
    key = identity.user("ana")
    identity.role("bu-a", NOBODY)
    own = opened(
        identity,
        Session(key_id="", account=ACCOUNT, user="ana", parent=key.access_key_id, expires_at=0.0),
    )
    role = as_role(identity, parent=key.access_key_id)
    assert not any(refuses(elsewhere, k) for k in (key, own, role))
    identity.store.directory.delete_user(ACCOUNT, "ana")
    assert all(refuses(elsewhere, k) for k in (key, own, role))
    identity.store.directory.create_user(ACCOUNT, "ana")
    assert all(refuses(elsewhere, k) for k in (key, own, role))


def test_a_disabled_key_takes_its_sessions_along_and_those_opened_from_them(
    identity: Identity, elsewhere: IdentityStore
) -> None:
    key = identity.user("ana")
    identity.role("bu-a", NOBODY)
    first = as_role(identity, parent=key.access_key_id)
    second = as_role(identity, parent=first.access_key_id, depth=2)
    assert not refuses(elsewhere, second)
    identity.store.keys.set_active(key.access_key_id, active=False)
    assert refuses(elsewhere, first)
    assert refuses(elsewhere, second)


def test_a_key_that_expires_takes_its_sessions_along(identity: Identity) -> None:
    identity.store.directory.create_user(ACCOUNT, "ana")
    key = identity.store.keys.create(ACCOUNT, "ana", expires_at=identity.clock.now() + 60)
    identity.role("bu-a", NOBODY)
    session = as_role(identity, parent=key.access_key_id)
    assert not refuses(identity.store, session)
    identity.clock.sleep(60)
    assert refuses(identity.store, session)


def test_a_deleted_roles_sessions_end_at_once(identity: Identity, elsewhere: IdentityStore) -> None:
    identity.role("bu-a", NOBODY)
    key = as_role(identity)
    assert not refuses(elsewhere, key)
    identity.store.directory.delete_role(ACCOUNT, "bu-a")
    assert refuses(elsewhere, key)


def test_revoking_a_roles_sessions_ends_them_and_those_opened_from_them(
    identity: Identity, elsewhere: IdentityStore
) -> None:
    identity.role("bu-a", NOBODY)
    identity.role("bu-b", NOBODY)
    first = as_role(identity)
    chained = as_role(identity, "bu-b", parent=first.access_key_id, depth=2)
    other = as_role(identity, "bu-b")
    assert not any(refuses(elsewhere, k) for k in (first, chained, other))
    assert identity.store.sessions.revoke_all(ACCOUNT, role="bu-a") == 1
    assert refuses(elsewhere, first)
    assert refuses(elsewhere, chained)
    assert not refuses(elsewhere, other)


def test_one_session_of_a_role_can_be_revoked(identity: Identity) -> None:
    identity.role("bu-a", NOBODY)
    first, second = as_role(identity), as_role(identity)
    with pytest.raises(NotFound):
        identity.store.sessions.revoke(first.access_key_id, role=(ACCOUNT, "bu-b"))
    identity.store.sessions.revoke(first.access_key_id, role=(ACCOUNT, "bu-a"))
    assert refuses(identity.store, first)
    assert not refuses(identity.store, second)


def test_who_leaves_a_group_loses_what_it_gave_at_the_next_call(
    identity: Identity, elsewhere: IdentityStore
) -> None:
    key = identity.user("ana")
    directory = identity.store.directory
    directory.create_group(ACCOUNT, "analysts", policy=policy(allow("glue:*")))
    directory.add_member(ACCOUNT, "analysts", "ana")
    directory.add_member(ACCOUNT, "analysts", "ana")
    group = arns.group_arn(ACCOUNT, "analysts")
    assert group in elsewhere.principal_of(key.access_key_id).identities
    directory.remove_member(ACCOUNT, "analysts", "ana")
    who = elsewhere.principal_of(key.access_key_id)
    assert group not in who.identities
    assert not who.rights.allows("glue:GetTable", "*")


def test_a_deleted_group_is_nobodys_any_more(identity: Identity, elsewhere: IdentityStore) -> None:
    key = identity.user("ana")
    identity.store.directory.create_group(ACCOUNT, "analysts")
    identity.store.directory.add_member(ACCOUNT, "analysts", "ana")
    assert len(elsewhere.principal_of(key.access_key_id).identities) == 3
    identity.store.directory.delete_group(ACCOUNT, "analysts")
    assert len(elsewhere.principal_of(key.access_key_id).identities) == 2


def test_a_changed_policy_counts_at_the_next_call(
    identity: Identity, elsewhere: IdentityStore
) -> None:
    identity.role("bu-a", NOBODY, allow("athena:*"))
    key = as_role(identity)
    assert elsewhere.principal_of(key.access_key_id).rights.allows("athena:X", "*")
    identity.store.directory.put_role_policy(ACCOUNT, "bu-a", policy(allow("glue:*")))
    assert not elsewhere.principal_of(key.access_key_id).rights.allows("athena:X", "*")


def test_an_issuer_that_is_removed_takes_its_sessions_along(
    identity: Identity, elsewhere: IdentityStore
) -> None:
    identity.role("bu-a", NOBODY)
    identity.store.issuers.add(_issuer())
    key = as_role(identity, issuer="okta")
    assert not refuses(elsewhere, key)
    identity.store.issuers.remove(ACCOUNT, "okta")
    assert refuses(elsewhere, key)


def test_a_session_ends_when_it_should(identity: Identity) -> None:
    identity.role("bu-a", NOBODY)
    key = as_role(identity)
    identity.clock.sleep(HOUR - 1)
    assert not refuses(identity.store, key)
    identity.clock.sleep(1)
    assert refuses(identity.store, key)


def test_a_session_outlives_the_one_that_opened_it_while_that_was_not_revoked(
    identity: Identity,
) -> None:
    identity.role("bu-a", NOBODY)
    first = as_role(identity, expires_at=identity.clock.now() + 60)
    second = as_role(
        identity,
        parent=first.access_key_id,
        depth=2,
        expires_at=identity.clock.now() + LONGEST_SESSION_S,
    )
    identity.clock.sleep(LONGEST_SESSION_S - 1)
    # Others that open sessions meanwhile clear away what has expired.
    as_role(identity)
    assert refuses(identity.store, first)
    assert not refuses(identity.store, second)
    identity.store.sessions.revoke(first.access_key_id)
    assert refuses(identity.store, second)


def test_sessions_that_expired_long_ago_are_cleared_away(identity: Identity) -> None:
    identity.role("bu-a", NOBODY)
    as_role(identity)
    identity.clock.sleep(13 * HOUR + 1)
    as_role(identity)
    with identity.engine.connect() as connection:
        assert len(connection.execute(sa.select(identity_sessions.c.key_id)).all()) == 1


def test_no_session_is_opened_on_something_that_just_went_away(identity: Identity) -> None:
    key = identity.user("ana")
    identity.role("bu-a", NOBODY)
    with pytest.raises(Refused):
        as_role(identity, "bu-b")
    with pytest.raises(Refused):
        as_role(identity, issuer="okta")
    with pytest.raises(Refused):
        as_role(identity, parent="ASIA" + "A" * 16)
    first = as_role(identity, expires_at=identity.clock.now() + 60)
    identity.clock.sleep(60)
    with pytest.raises(Refused):
        as_role(identity, parent=first.access_key_id)
    identity.store.keys.set_active(key.access_key_id, active=False)
    with pytest.raises(Refused):
        as_role(identity, parent=key.access_key_id)


def test_a_caller_is_read_right_while_others_change_everything(identity: Identity) -> None:
    key = identity.user("ana")
    identity.store.directory.create_group(ACCOUNT, "analysts", policy=policy(allow()))
    stop = threading.Event()
    group = arns.group_arn(ACCOUNT, "analysts")

    def change() -> None:
        while not stop.is_set():
            identity.store.directory.add_member(ACCOUNT, "analysts", "ana")
            identity.store.directory.remove_member(ACCOUNT, "analysts", "ana")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            who = identity.store.principal_of(key.access_key_id)
            # Never the group's rights without the group, nor the other way round.
            assert (group in who.identities) == who.rights.allows("glue:GetTable", "*")
    finally:
        stop.set()
        thread.join()
    assert group not in identity.store.principal_of(key.access_key_id).identities


def test_a_state_that_does_not_answer_lets_nobody_in(identity: Identity) -> None:
    key = identity.user("ana")
    assert not refuses(identity.store, key)
    with identity.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE identity_version RENAME TO away"))
    with pytest.raises(Unavailable):
        identity.store.secret_of(key.access_key_id)
    with pytest.raises(Unavailable):
        identity.store.principal_of(key.access_key_id)


def _issuer() -> Issuer:
    return Issuer(
        account=ACCOUNT, name="okta", url="https://login.example.com", audiences=("lake", "x")
    )
