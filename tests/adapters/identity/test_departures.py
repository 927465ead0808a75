"""Whoever goes takes everything along: a namesake who is made later has none of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_type_hints

import pytest
import sqlalchemy as sa
import structlog.testing

from lakeveil.adapters.access_requests import SqlAccessRequests
from lakeveil.adapters.database import open_database
from lakeveil.adapters.lake import SqlLake, open_lake
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.explaining.access_requests import AccessRequest, RequestState
from lakeveil.core.access.grants import Grant, OnCatalog, OnTable, TableName
from lakeveil.core.access.guards import NameGuard
from lakeveil.core.access.lake import Column, Database, LakeSettings, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import LFTag
from lakeveil.core.identity import arns
from lakeveil.core.identity.departure import Departure, Tie
from lakeveil.core.identity.directory import Account, Issuer
from lakeveil.core.identity.trust import from_trust_document
from lakeveil.errors import Conflict
from lakeveil.ports.lake import DatabaseRecord, Location, TableRecord
from tests.adapters.identity.sessions import NOBODY, as_role, refuses
from tests.identity_parts import ACCOUNT, OTHER, Identity, allow, trusting, trusting_issuer

EVENTS = TableName(ACCOUNT, "ads", "events")
ANA, BOB = arns.user_arn(ACCOUNT, "ana"), arns.user_arn(ACCOUNT, "bob")
OKTA = arns.issuer_arn(ACCOUNT, "okta")
ZOE, CREW = (
    arns.federated_user_arn(ACCOUNT, "okta", "zoe@a.example"),
    arns.federated_group_arn(ACCOUNT, "okta", "crew"),
)
WHERE_NAMES_COUNT = (
    "lf_grants", "lf_settings", "lf_tags", "lake_databases", "lake_tables", "identity_roles",
    "access_requests",
)  # fmt: skip

NAMES_IN_SETTINGS = {
    name
    for name, kind in get_type_hints(LakeSettings).items()
    # Which organisations an account is in comes from the account itself.
    if kind == frozenset[str] and name != "organisations"
}


@pytest.fixture
def lake(identity: Identity) -> SqlLake:
    return open_lake(identity.engine)


@pytest.fixture
def other_process(identity: Identity) -> Iterator[SqlLake]:
    """The lake as another process has it open, with the policy in its memory."""
    engine = open_database(str(identity.engine.url))
    yield open_lake(engine)
    engine.dispose()


def stand(identity: Identity, lake: SqlLake, name: str) -> None:
    """Let a name stand everywhere where names count, beside somebody else's."""
    with lake.changing() as change:
        change.put_location(Location(account=ACCOUNT, location="s3://lake"))
        change.put_database(
            DatabaseRecord(database=Database(account=ACCOUNT, name="ads", owner=name))
        )
        for table, owner in ((EVENTS, name), (replace(EVENTS, table="clicks"), BOB)):
            change.put_table(
                TableRecord(
                    table=Table(name=table, columns=(Column("id"), Column("ip")), owner=owner),
                    location=f"s3://lake/{table.table}",
                )
            )
        change.put_tag(
            LFTag(account=ACCOUNT, key="class", values=frozenset({"a"}), created_by=name)
        )
        both = frozenset({name, BOB})
        change.put_settings(
            ACCOUNT, LakeSettings(administrators=both, read_only_administrators=both)
        )
        for one in both:
            give(change, one)
    requests = SqlAccessRequests(identity.engine)
    asked = AccessRequest(
        id="", requester=name, requester_account=ACCOUNT, table=EVENTS, columns=("ip",),
        reason="a secret reason", asked_at=1.0,
    )  # fmt: skip
    requests.add(asked)
    requests.add(replace(asked, state=RequestState.DENIED))
    requests.add(replace(asked, requester=BOB))
    if arns.parse(name).kind in {arns.Kind.USER, arns.Kind.ROLE}:
        identity.role("trusting", trusting(name, BOB))


def naming(*names: str) -> LakeSettings:
    """Settings that name somebody in each of their lists."""
    lists: dict[str, Any] = dict.fromkeys(NAMES_IN_SETTINGS, frozenset(names))
    return LakeSettings(**lists)


def give(change: object, name: str, *, table: str = "clicks") -> Grant:
    grant = Grant(
        id="", account=ACCOUNT, principal=name, resource=OnTable(ACCOUNT, "ads", table),
        permissions=frozenset({Permission.SELECT}),
    )  # fmt: skip
    made: Grant = change.put_grant(grant)  # type: ignore[attr-defined]
    return made


def create(identity: Identity, name: str) -> None:
    found = arns.parse(name)
    directory = identity.store.directory
    match found.kind:
        case arns.Kind.USER:
            directory.create_user(ACCOUNT, found.name)
        case arns.Kind.GROUP:
            directory.create_group(ACCOUNT, found.name)
        case _:
            identity.role(found.name, NOBODY)


def delete(identity: Identity, name: str) -> Departure:
    found = arns.parse(name)
    directory = identity.store.directory
    match found.kind:
        case arns.Kind.USER:
            return directory.delete_user(ACCOUNT, found.name)
        case arns.Kind.GROUP:
            return directory.delete_group(ACCOUNT, found.name)
        case _:
            return directory.delete_role(ACCOUNT, found.name)


def where(identity: Identity, name: str) -> list[str]:
    """The tables in which a name stands where it would count."""
    with identity.engine.connect() as connection:
        return [
            table
            for table in WHERE_NAMES_COUNT
            for row in connection.execute(sa.text(f'SELECT * FROM "{table}"'))
            if f"'{name}'" in str(row) or f'"{name}"' in str(row)
        ]


@pytest.mark.parametrize(
    "name", [ANA, arns.group_arn(ACCOUNT, "ana"), arns.role_arn(ACCOUNT, "ana")]
)
def test_whoever_is_deleted_stands_nowhere_any_more_and_others_stay(
    identity: Identity, lake: SqlLake, other_process: SqlLake, name: str
) -> None:
    create(identity, name)
    stand(identity, lake, name)
    assert other_process.policy().grants_to({name})
    assert set(where(identity, name)) >= set(WHERE_NAMES_COUNT) - {"identity_roles"}
    foretold = identity.store.directory.standing_on(name)

    gone = delete(identity, name)

    assert gone == foretold
    assert gone.counts()["grants"] == 1
    assert where(identity, name) == []
    policy = other_process.policy()
    assert policy.grants_to({name}) == []
    assert policy.settings_of(ACCOUNT) == LakeSettings(
        administrators=frozenset({BOB}), read_only_administrators=frozenset({BOB})
    )
    assert [grant.principal for grant in policy.grants] == [BOB]
    assert policy.tags[ACCOUNT, "class"].created_by == ""
    owners = {record.table.name.table: record.table.owner for record in lake.tables(ACCOUNT)}
    assert owners == {"events": "", "clicks": BOB}
    create(identity, name)
    assert where(identity, name) == []


def test_a_namesake_is_in_no_list_of_the_settings_that_named_the_one_before(
    identity: Identity, lake: SqlLake, other_process: SqlLake
) -> None:
    create(identity, ANA)
    guards = frozenset({NameGuard("ip_addr*", "class")})
    for account in (ACCOUNT, OTHER):
        with lake.changing() as change:
            change.put_settings(account, replace(naming(ANA, BOB), guards=guards))
        # Each list is kept at all, or the test would say nothing of it.
        settings = other_process.policy().settings_of(account)
        assert all(getattr(settings, name) == {ANA, BOB} for name in NAMES_IN_SETTINGS)

    gone = delete(identity, ANA)
    create(identity, ANA)

    assert gone.ties[Tie.ADMINISTRATOR] == tuple(sorted([ACCOUNT, OTHER]))
    for account in (ACCOUNT, OTHER):
        left = replace(naming(BOB), guards=guards)
        assert other_process.policy().settings_of(account) == left


@pytest.mark.parametrize("named", [ZOE, CREW])
def test_an_issuers_people_and_groups_leave_every_list_of_the_settings(
    identity: Identity, lake: SqlLake, named: str
) -> None:
    identity.store.issuers.add(issuer("https://login.example.com"))
    with lake.changing() as change:
        change.put_settings(ACCOUNT, naming(named, BOB))

    identity.store.issuers.remove(ACCOUNT, "okta")

    assert lake.policy().settings_of(ACCOUNT) == naming(BOB)


def test_what_goes_along_is_told_by_kind_and_id(identity: Identity, lake: SqlLake) -> None:
    create(identity, ANA)
    stand(identity, lake, ANA)
    (grant,) = lake.policy().grants_to({ANA})
    number = identity.store.directory.user(ACCOUNT, "ana").id
    gone = delete(identity, ANA)
    assert {tie: gone.ties[tie] for tie in list(Tie)[:5]} == {
        Tie.GRANT: (grant.id,),
        Tie.ADMINISTRATOR: (ACCOUNT,),
        Tie.DATABASE: (f"{ACCOUNT}/ads",),
        Tie.TABLE: (f"{ACCOUNT}/ads.events",),
        Tie.TAG: (f"{ACCOUNT}/class",),
    }
    assert gone.ties[Tie.TRUST] == (arns.role_arn(ACCOUNT, "trusting"),)
    assert gone.as_record()["grants"] == {"count": 1, "which": (grant.id,)}
    assert gone.as_record()["unique_id"] == number
    assert f"grants: 1 ({grant.id})" in gone.sentence()
    assert identity.store.directory.standing_on(ANA).sentence() == ""


def test_a_namesake_sees_nothing_of_what_the_one_before_saw(
    identity: Identity, lake: SqlLake
) -> None:
    identity.user("ana")
    stand(identity, lake, ANA)
    identity.store.directory.delete_user(ACCOUNT, "ana")
    key = identity.user("ana", allow())
    ana = identity.store.principal_of(key.access_key_id)
    for record in lake.tables(ACCOUNT):
        decision = decide(ana, record.table, lake.policy(), now=0.0)
        assert not decision.exists
        assert decision.shown() == ()


def test_requests_of_whoever_goes_end_and_are_not_the_namesakes_to_read(
    identity: Identity, lake: SqlLake
) -> None:
    create(identity, ANA)
    stand(identity, lake, ANA)
    requests = SqlAccessRequests(identity.engine)
    denied, waiting = sorted(requests.of_requester(ANA), key=lambda one: one.state)
    identity.clock.sleep(7)

    gone = delete(identity, ANA)

    assert gone.ties[Tie.REQUEST] == (waiting.id,)
    ended, still_denied = requests.find(waiting.id), requests.find(denied.id)
    assert ended is not None
    assert still_denied is not None
    assert (ended.state, ended.answered_at) == (RequestState.WITHDRAWN, identity.clock.now())
    assert still_denied.state is RequestState.DENIED
    create(identity, ANA)
    assert requests.of_requester(ANA) == []
    (others,) = requests.of_requester(BOB)
    assert others.state is RequestState.PENDING


def test_names_that_only_look_alike_stay(identity: Identity, lake: SqlLake) -> None:
    create(identity, ANA)
    alike = [
        arns.user_arn(ACCOUNT, "Ana"), arns.user_arn(ACCOUNT, "ana2"), arns.user_arn(OTHER, "ana"),
        arns.group_arn(ACCOUNT, "ana"), arns.role_arn(ACCOUNT, "ana"),
        arns.federated_user_arn(ACCOUNT, "okta", "ana"),
    ]  # fmt: skip
    with lake.changing() as change:
        for one in (ANA, *alike):
            give(change, one)
    delete(identity, ANA)
    assert [grant.principal for grant in lake.policy().grants] == alike


def test_a_role_that_trusted_a_user_does_not_trust_the_namesake(identity: Identity) -> None:
    for name in ("ana", "bob"):
        identity.user(name)
    first = identity.store.directory.user(ACCOUNT, "ana")
    identity.role("etl", trusting(ANA, BOB), account=OTHER)
    only = identity.role("only", trusting(ANA))

    identity.store.directory.delete_user(ACCOUNT, "ana")
    key = identity.user("ana", allow())

    ana = identity.store.principal_of(key.access_key_id)
    (other,) = identity.store.keys.of_user(ACCOUNT, "bob")
    for account, name in ((OTHER, "etl"), (only.account, only.name)):
        role = identity.store.directory.role(account, name)
        trust = from_trust_document(role.trust)
        assert not trust.admits(ana)
        assert first.id in role.trust
        assert trust.admits(identity.store.principal_of(other.id)) == (name == "etl")
    # It may be named anew, which is a decision of its own.
    identity.store.directory.put_role_trust(ACCOUNT, "only", trusting(ANA))
    role = identity.store.directory.role(ACCOUNT, "only")
    assert from_trust_document(role.trust).admits(ana)


def test_an_issuer_takes_the_grants_of_its_people_and_groups_along(
    identity: Identity, lake: SqlLake
) -> None:
    identity.store.issuers.add(issuer("https://login.example.com"))
    kept = [
        arns.federated_user_arn(ACCOUNT, "okta2", "zoe@a.example"),
        arns.federated_user_arn(OTHER, "okta", "zoe@a.example"),
        arns.user_arn(ACCOUNT, "okta"),
    ]
    with lake.changing() as change:
        for one in (ZOE, CREW, *kept):
            give(change, one)
        change.put_settings(ACCOUNT, LakeSettings(administrators=frozenset({ZOE, BOB})))
    identity.role("bu-a", trusting_issuer(OKTA, aud="lake", sub="zoe"))
    key = as_role(identity, issuer="okta")
    assert len(identity.store.directory.standing_on(OKTA).ties[Tie.GRANT]) == 2

    gone = identity.store.issuers.remove(ACCOUNT, "okta")

    assert gone.counts() == {"grants": 2, "administrator of": 1, "trusted by roles": 1}
    assert [grant.principal for grant in lake.policy().grants] == kept
    assert lake.policy().settings_of(ACCOUNT).administrators == {BOB}
    assert refuses(identity.store, key)


def test_another_provider_under_an_issuers_name_is_not_trusted(identity: Identity) -> None:
    identity.store.issuers.add(issuer("https://login.example.com"))
    identity.role("bu-a", trusting_issuer(OKTA, aud="lake", sub="zoe"))
    claims = {"aud": ("lake",), "sub": ("zoe",)}
    trust = from_trust_document(identity.store.directory.role(ACCOUNT, "bu-a").trust)
    assert trust.admits_token(OKTA, claims)
    identity.store.issuers.remove(ACCOUNT, "okta")
    identity.store.issuers.add(issuer("https://elsewhere.example"))
    trust = from_trust_document(identity.store.directory.role(ACCOUNT, "bu-a").trust)
    assert not trust.admits_token(OKTA, claims)


def test_an_account_with_data_stays_and_without_it_takes_its_lake_along(
    identity: Identity, lake: SqlLake, other_process: SqlLake
) -> None:
    directory = identity.store.directory
    identity.role("etl", trusting(OTHER, f"arn:aws:iam::{OTHER}:root"))
    with lake.changing() as change:
        change.put_database(DatabaseRecord(database=Database(account=OTHER, name="theirs")))
        change.put_tag(LFTag(account=OTHER, key="class", values=frozenset({"a"})))
        change.put_location(Location(account=OTHER, location="s3://theirs"))
        change.put_settings(OTHER, LakeSettings(administrators=frozenset({BOB})))
        change.put_tag(LFTag(account=ACCOUNT, key="class", values=frozenset({"a"})))
        give(change, OTHER)
        give(change, arns.iam_principals(OTHER))
        kept = give(change, BOB)
        own = give(change, BOB)
        change.put_grant(replace(own, account=OTHER))
        change.put_grant(
            Grant(
                id="",
                account=OTHER,
                principal=BOB,
                resource=OnCatalog(OTHER),
                permissions=frozenset({Permission.CREATE_DATABASE}),
            )
        )
    assert OTHER in other_process.policy().settings
    with pytest.raises(Conflict):
        directory.delete_account(OTHER)
    assert len(lake.policy().grants) == 5
    with lake.changing() as change:
        change.remove_database(OTHER, "theirs")

    gone = directory.delete_account(OTHER)
    directory.create_account(Account(id=OTHER, name="again"))

    assert gone.counts()["LF-Tags"] == 1
    policy = other_process.policy()
    assert [grant.id for grant in policy.grants] == [kept.id]
    assert list(policy.tags) == [(ACCOUNT, "class")]
    assert policy.settings_of(OTHER) == LakeSettings()
    assert lake.locations(OTHER) == []
    key = identity.user("eve", account=OTHER)
    trust = from_trust_document(directory.role(ACCOUNT, "etl").trust)
    assert not trust.admits(identity.store.principal_of(key.access_key_id))


def test_an_account_is_not_made_where_there_is_data_of_one_before(
    identity: Identity, lake: SqlLake
) -> None:
    identity.store.directory.delete_account(OTHER)
    with lake.changing() as change:
        change.put_database(DatabaseRecord(database=Database(account=OTHER, name="late")))
    with pytest.raises(Conflict):
        identity.store.directory.create_account(Account(id=OTHER, name="again"))


def test_an_account_made_again_in_another_organisation_is_known_so_elsewhere(
    identity: Identity, other_process: SqlLake
) -> None:
    assert other_process.policy().settings_of(OTHER).organisations == frozenset()
    organisation = f"arn:aws:organizations::{ACCOUNT}:organization/o-a1b2c3d4e5"
    identity.store.directory.delete_account(OTHER)
    again = Account(id=OTHER, name="again", organisation=organisation)
    identity.store.directory.create_account(again)
    assert other_process.policy().settings_of(OTHER).organisations == {organisation}


def test_nobody_goes_where_not_everything_can_go_along(identity: Identity, lake: SqlLake) -> None:
    key = identity.user("ana")
    stand(identity, lake, ANA)
    with identity.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no BEFORE UPDATE ON access_requests "
            "BEGIN SELECT RAISE(ABORT, 'not now'); END"
        )
    with pytest.raises(Conflict):
        identity.store.directory.delete_user(ACCOUNT, "ana")
    assert not refuses(identity.store, key)
    assert lake.policy().grants_to({ANA})
    assert lake.policy().settings_of(ACCOUNT).administrators == {ANA, BOB}


def test_a_grant_that_was_under_way_while_its_grantee_went_is_not_the_namesakes(
    identity: Identity, lake: SqlLake
) -> None:
    create(identity, ANA)
    delete(identity, ANA)
    with lake.changing() as change:
        give(change, ANA)
    with structlog.testing.capture_logs() as said:
        create(identity, ANA)
    assert lake.policy().grants_to({ANA}) == []
    assert [(one["name"], one["grants"]) for one in said] == [(ANA, 1)]


def issuer(url: str) -> Issuer:
    return Issuer(account=ACCOUNT, name="okta", url=url, audiences=("lake",))
