"""Where AWS is the store: one session of ours signs at our own door and at S3, and how far it goes.

The store is moto, with its IAM switched on: it checks the signature, the token and what the *role*
may do. It does not evaluate session policies. So that ours says the right thing is asked of its
IAM engine by making the session's policy the role's; that AWS enforces both is AWS's promise.
Listings are left out there: moto does not know the condition on `s3:prefix`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from lakeveil.adapters.oidc import OidcVerifier
from lakeveil.aws.sts import key_lookup, sts
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import IssuedKey
from lakeveil.errors import Unavailable
from lakeveil.ports.store_keys import StoreCredential
from lakeveil.settings import Settings, load_settings
from lakeveil.wiring.store_keys import key_mint, try_store_keys
from tests.adapters.store_keys_bench import refused
from tests.doors.running import Door, doors, serving
from tests.identity_parts import ACCOUNT, Identity, allow, identity_in, policy, trusting
from tests.stack.unit_lake import credential, may_assume, policy_text

RESULTS, OTHER_BUCKET, ORIGINALS = "acme-results", "acme-other", "acme-photos"
ROLE_NAME = "lakeveil-sessions"
ROLE = f"arn:aws:iam::123456789012:role/{ROLE_NAME}"
OWN, OTHERS = "bu-a/x.csv", "bu-b/x.csv"
ANA = arns.user_arn(ACCOUNT, "ana")


@dataclass(frozen=True, kw_only=True)
class Aws:
    """moto, its IAM on. `key` is the installation's own AWS identity."""

    url: str
    key: dict[str, str]

    def client(self, service: str, key: dict[str, str]) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
            **key,
        )

    def s3(self, key: StoreCredential | IssuedKey) -> Any:
        """A client of the store with the strings that our door gave out."""
        strings = {
            "aws_access_key_id": key.access_key_id,
            "aws_secret_access_key": key.secret_access_key,
        }
        if key.session_token:
            strings["aws_session_token"] = key.session_token
        return self.client("s3", strings)

    def reads(self, key: StoreCredential | IssuedKey, name: str = OWN, b: str = RESULTS) -> bool:
        return not refused(lambda s3: s3.get_object(Bucket=b, Key=name), self.s3(key))

    def writes(self, key: StoreCredential | IssuedKey, name: str = OWN, b: str = RESULTS) -> bool:
        return not refused(lambda s3: s3.put_object(Bucket=b, Key=name, Body=b"x"), self.s3(key))

    def sessions(self) -> list[dict[str, Any]]:
        """The sessions that moto made, as they were asked for."""
        with urlopen(f"{self.url}/moto-api/data.json") as answer:
            found: list[dict[str, Any]] = json.load(answer)["sts"].get("AssumedRole", [])
        return found

    @contextmanager
    def role_may_only(self, document: str) -> Iterator[None]:
        """The role's policy is another one for a while."""
        iam = self._iam()
        iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="s3", PolicyDocument=document)
        yield
        iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="s3", PolicyDocument=ROLE_MAY)

    @contextmanager
    def installation_may_only(self, *statements: Any) -> Iterator[None]:
        """The installation's own AWS identity has other rights for a while."""
        keep = allow("iam:PutUserPolicy")
        iam, name = self._iam(), {"UserName": "lakeveil", "PolicyName": "own"}
        iam.put_user_policy(**name, PolicyDocument=policy(keep, *statements))
        yield
        iam.put_user_policy(**name, PolicyDocument=INSTALLATION_MAY)

    def _iam(self) -> Any:
        return self.client("iam", self.key)


INSTALLATION_MAY = policy(allow("sts:AssumeRole", ROLE), allow("iam:Put*Policy"))
ROLE_MAY = policy(
    allow("s3:*", [f"arn:aws:s3:::{RESULTS}", f"arn:aws:s3:::{RESULTS}/*"]),
    allow("s3:*", f"arn:aws:s3:::{ORIGINALS}/*"),
)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    anyone = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    found = Aws(url=f"http://{host}:{port}", key=anyone)
    iam, s3 = found.client("iam", anyone), found.client("s3", anyone)
    iam.create_user(UserName="lakeveil")
    iam.put_user_policy(
        UserName="lakeveil",
        PolicyName="own",
        PolicyDocument=INSTALLATION_MAY,
    )
    iam.create_role(
        RoleName=ROLE_NAME,
        AssumeRolePolicyDocument=trusting("arn:aws:iam::123456789012:user/lakeveil"),
    )
    iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="s3", PolicyDocument=ROLE_MAY)
    made = iam.create_access_key(UserName="lakeveil")["AccessKey"]
    for bucket in (RESULTS, OTHER_BUCKET, ORIGINALS):
        s3.create_bucket(Bucket=bucket)
        for name in (OWN, OTHERS, "bu-ab/x.csv", "BU-A/x.csv", "Sales/x.csv"):
            s3.put_object(Bucket=bucket, Key=name, Body=b"rows")
    key = {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
    }
    _authenticate(found.url, after="0")
    yield Aws(url=found.url, key=key)
    _authenticate(found.url, after="inf")
    server.stop()


def _authenticate(url: str, *, after: str) -> None:
    """From the how-manieth call on moto asks its IAM."""
    plain = {"Content-Type": "text/plain"}
    urlopen(Request(f"{url}/moto-api/reset-auth", data=after.encode(), headers=plain)).close()


@dataclass(frozen=True, kw_only=True)
class Lake:
    """An installation whose store is AWS's, with its STS door."""

    aws: Aws
    identity: Identity
    settings: Settings
    door: Door

    def unit(self, name: str, *statements: Any) -> None:
        folder = f"arn:aws:s3:::{RESULTS}/{name}/*"
        self.identity.role(name, trusting(ANA), *(statements or [allow("s3:*", folder)]))

    def sts(self, key: StoreCredential | IssuedKey, attempts: int = 6) -> Any:
        return self.door.boto3(
            key.access_key_id,
            key.secret_access_key,
            service="sts",
            token=key.session_token or None,
            attempts=attempts,
        )

    def assume(self, key: IssuedKey, role: str, **more: Any) -> StoreCredential:
        answer = self.sts(key).assume_role(
            RoleArn=arns.role_arn(ACCOUNT, role), RoleSessionName="ana", **more
        )
        return credential(answer["Credentials"])

    def who(self, key: StoreCredential | IssuedKey) -> str:
        arn: str = self.sts(key).get_caller_identity()["Arn"]
        return arn


@pytest.fixture
def lake(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for name, value in aws.key.items():
        monkeypatch.setenv(name.upper(), value)
    file = tmp_path / "lakeveil.toml"
    file.write_text(
        f'home = "{tmp_path / "home"}"\n[store]\nendpoint = "{aws.url}"\nkeys = "aws"\n'
        f'role_arn = "{ROLE}"\nsts_endpoint = "{aws.url}"\nsession_longest_s = 1800\n'
        f'[[collections]]\nname = "photos"\nsource = "s3://{ORIGINALS}"\n'
        'release = "s3://acme-released"\n'
    )
    settings, _ = load_settings(file)
    with identity_in(tmp_path / "home") as identity:
        store = identity.store
        service = sts(
            callers=store.callers,
            roles=store.directory,
            sessions=store.sessions,
            tokens=OidcVerifier(store.issuers, identity.clock),
            mint=key_mint(settings, store, environ=os.environ),
            audit=identity.audit,
            clock=identity.clock,
        )
        app = doors(services=(service,), secret_of=key_lookup(store.callers))
        with serving(app) as door:
            yield Lake(aws=aws, identity=identity, settings=settings, door=door)


# --- one key, both endpoints -----------------------------------------------------------------


def test_a_session_that_our_door_gave_out_signs_at_both_and_is_awss_own(lake: Lake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a")
    session = lake.assume(ana, "bu-a")
    assert lake.who(session) == f"arn:aws:sts::{ACCOUNT}:assumed-role/bu-a/ana"
    assert (lake.aws.reads(session), lake.aws.writes(session)) == (True, True)
    made = lake.aws.sessions()[-1]
    assert made["role_arn"] == ROLE
    assert made["access_key_id"] == session.access_key_id


def test_a_users_own_session_opens_what_the_user_may(lake: Lake) -> None:
    ana = lake.identity.user("ana", allow("s3:GetObject", f"arn:aws:s3:::{RESULTS}/bu-a/*"))
    session = credential(lake.sts(ana).get_session_token()["Credentials"])
    assert lake.who(session) == ANA
    assert lake.aws.reads(session)
    # Twelve hours are the default; AWS could not take them back.
    assert (session.expires_at or 0) <= lake.identity.clock.now() + 1800 + 5


def test_the_shortest_session_of_all_opens_the_store(lake: Lake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a")
    assert lake.aws.reads(lake.assume(ana, "bu-a", DurationSeconds=900))


def test_an_unmodified_client_with_a_role_in_its_profile_reads_its_folder(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    file = tmp_path / "config"
    file.write_text(
        f"[profile ana]\naws_access_key_id = {ana.access_key_id}\n"
        f"aws_secret_access_key = {ana.secret_access_key}\n"
        f"[profile bu-a]\nrole_arn = {arns.role_arn(ACCOUNT, 'bu-a')}\nsource_profile = ana\n"
        f"region = us-east-1\nservices = lake\n"
        f"[services lake]\nsts =\n  endpoint_url = {lake.door.url}\n"
        f"s3 =\n  endpoint_url = {lake.aws.url}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    session = boto3.Session(profile_name="bu-a")
    found = session.client("s3").get_object(Bucket=RESULTS, Key=OWN)["Body"].read()
    assert found
    assert session.client("sts").get_caller_identity()["Arn"].split("/")[1] == "bu-a"


def test_strings_that_are_not_a_sessions_own_are_refused_by_the_store(lake: Lake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a")
    session = lake.assume(ana, "bu-a")
    for token, secret in (("forged", session.secret_access_key), (session.session_token, "x")):
        forged = StoreCredential(
            access_key_id=session.access_key_id, secret_access_key=secret, session_token=token
        )
        with pytest.raises(ClientError) as caught:
            lake.aws.s3(forged).get_object(Bucket=RESULTS, Key=OWN)
        assert caught.value.response["Error"]["Code"] in {"InvalidToken", "SignatureDoesNotMatch"}


def test_a_users_long_lived_key_opens_our_doors_alone(lake: Lake) -> None:
    ana = lake.identity.user("ana", allow("s3:*", f"arn:aws:s3:::{RESULTS}/bu-a/*"))
    assert lake.who(ana) == ANA
    assert not lake.aws.reads(ana)


def test_a_session_without_a_folder_is_for_our_doors_and_aws_is_not_asked(lake: Lake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-c", allow("athena:*"))
    before = len(lake.aws.sessions())
    session = lake.assume(ana, "bu-c")
    assert lake.who(session).endswith("/bu-c/ana")
    assert not lake.aws.reads(session)
    assert len(lake.aws.sessions()) == before


# --- how far it goes -------------------------------------------------------------------------


def test_what_the_role_may_not_do_no_session_does(lake: Lake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a", allow("s3:*", f"arn:aws:s3:::{OTHER_BUCKET}/bu-a/*"))
    session = lake.assume(ana, "bu-a")
    assert not lake.aws.reads(session, b=OTHER_BUCKET)
    assert not lake.aws.writes(session, b=OTHER_BUCKET)


def test_the_sessions_own_policy_opens_the_units_folder_and_no_other(lake: Lake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a")
    session = lake.assume(ana, "bu-a")
    with lake.aws.role_may_only(lake.aws.sessions()[-1]["policy"]):
        assert (lake.aws.reads(session), lake.aws.writes(session)) == (True, True)
        for name in (OTHERS, "bu-ab/x.csv", "BU-A/x.csv", "bu-a"):
            assert not lake.aws.reads(session, name)
            assert not lake.aws.writes(session, name)
        assert not lake.aws.reads(session, b=OTHER_BUCKET)


def test_a_session_policy_of_the_callers_narrows_the_one_at_aws(lake: Lake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a")
    session = lake.assume(ana, "bu-a", Policy=policy_text(allow("s3:GetObject")))
    with lake.aws.role_may_only(lake.aws.sessions()[-1]["policy"]):
        assert (lake.aws.reads(session), lake.aws.writes(session)) == (True, False)


def test_a_folder_in_capitals_opens_since_aws_compares_letters(lake: Lake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("Sales")
    session = lake.assume(ana, "Sales")
    with lake.aws.role_may_only(lake.aws.sessions()[-1]["policy"]):
        assert lake.aws.reads(session, "Sales/x.csv")
        assert not lake.aws.reads(session, "sales/x.csv")


def test_originals_open_to_no_session_whatever_a_policy_says(lake: Lake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a", allow("s3:*", f"arn:aws:s3:::{ORIGINALS}/bu-a/*"))
    session = lake.assume(ana, "bu-a")
    assert not lake.aws.reads(session, b=ORIGINALS)


# --- the end ---------------------------------------------------------------------------------


def test_a_revoked_session_is_refused_at_our_door_and_ends_at_aws_by_its_time(lake: Lake) -> None:
    """Not as it should be, and said so in docs/adr/0011: AWS takes no session back."""
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a")
    session = lake.assume(ana, "bu-a")
    lake.identity.store.sessions.revoke(session.access_key_id)
    with pytest.raises(ClientError):
        lake.who(session)
    assert lake.aws.reads(session)
    assert (session.expires_at or 0) <= lake.identity.clock.now() + 1800 + 5


def test_an_aws_that_does_not_let_us_become_the_role_makes_no_session_at_all(
    lake: Lake,
) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a")
    with lake.aws.installation_may_only():
        with pytest.raises(ClientError) as caught:
            lake.sts(ana, attempts=1).assume_role(
                RoleArn=arns.role_arn(ACCOUNT, "bu-a"), RoleSessionName="ana"
            )
        with pytest.raises(Unavailable) as doctors:
            try_store_keys(lake.settings)
    assert doctors.value.code == "store_role_refused"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
    assert ROLE not in str(caught.value)
    assert list(lake.identity.store.sessions.of(ACCOUNT, role="bu-a")) == []
    assert lake.identity.on_record()[-1][1] == "failed"


def test_the_doctor_tries_a_session_that_may_nothing(lake: Lake) -> None:
    assert ROLE in try_store_keys(lake.settings)
    (statement,) = json.loads(lake.aws.sessions()[-1]["policy"])["Statement"]
    assert statement["Effect"] == "Deny"
