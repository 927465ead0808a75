"""How the embedded store is run: nothing of the surroundings, nothing in the open."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lakeveil.adapters.certificates import ensure_certificates
from lakeveil.adapters.child import ChildSpec
from lakeveil.adapters.credentials import Credentials, ensure_credentials, private_directory
from lakeveil.adapters.nats_server import nats_server
from lakeveil.adapters.seaweedfs import StorePorts, client_environment, weed_mini
from lakeveil.errors import UsageError

PORTS = StorePorts(
    s3=21001,
    s3_grpc=21002,
    filer=21003,
    filer_grpc=21004,
    master=21005,
    master_grpc=21006,
    volume=21007,
    volume_grpc=21008,
    admin=21009,
    admin_grpc=31009,
)
SURROUNDINGS = {
    "PATH": "/usr/bin",
    "HOME": "/home/somebody",
    "AWS_ACCESS_KEY_ID": "somebody's",
    "AWS_SECRET_ACCESS_KEY": "somebody's",
    "WEED_JWT_SIGNING_KEY": "somebody's",
    "S3_IDENTITIES": "somebody's",
}


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    private_directory(tmp_path / "home" / "store")
    (tmp_path / "home").chmod(0o700)
    return ensure_credentials(tmp_path / "home")


def store(home: Path, credentials: Credentials, ports: StorePorts = PORTS) -> ChildSpec:
    return weed_mini(
        home,
        ports=ports,
        credentials=credentials,
        certificates=ensure_certificates(home / "store" / "tls", now=time.time()),
        sources=["photos"],
        releases=["released"],
        lake=["lake", "lake-results"],
        environ=SURROUNDINGS,
    )


def test_no_secret_is_on_a_command_line(tmp_path: Path, credentials: Credentials) -> None:
    home = tmp_path / "home"
    queue = nats_server(home, port=21011, token=credentials.nats_token, environ={})
    line = " ".join([*store(home, credentials).argv, *queue.argv])
    assert "mini" in line
    assert not [secret for secret in credentials.secrets() if secret in line]


def test_telemetry_and_what_nobody_uses_are_off(tmp_path: Path, credentials: Credentials) -> None:
    argv = store(tmp_path / "home", credentials).argv
    assert {
        *("-master.telemetry=false", "-webdav=false", "-admin.ui=false"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-ip.bind=127.0.0.1"),
    } <= set(argv)


def test_keys_of_the_surroundings_do_not_become_the_stores(
    tmp_path: Path, credentials: Credentials
) -> None:
    home = tmp_path / "home"
    environments: list[Mapping[str, str]] = [
        store(home, credentials).env,
        client_environment(home, environ=SURROUNDINGS),
    ]
    for env in environments:
        assert "somebody" not in " ".join(env.values())
        assert env["PATH"] == "/usr/bin"


def test_a_port_that_the_store_would_not_use_is_refused(
    tmp_path: Path, credentials: Credentials
) -> None:
    with pytest.raises(UsageError, match=r"ports\.admin_grpc") as caught:
        store(tmp_path / "home", credentials, replace(PORTS, admin_grpc=31010))
    assert "31009" in caught.value.fix


def test_files_that_hold_secrets_are_private(tmp_path: Path, credentials: Credentials) -> None:
    home = tmp_path / "home"
    store(home, credentials)
    nats_server(home, port=21011, token=credentials.nats_token, environ={})
    secrets = credentials.secrets()
    holders = [
        path
        for path in home.rglob("*")
        if path.is_file() and any(secret in path.read_text("latin-1") for secret in secrets)
    ]
    assert {path.name for path in holders} == {
        *("credentials.json", "identities.json", "nats.conf")
    }
    sessions = home / "store" / "sessions.json"
    assert {path.stat().st_mode & 0o777 for path in [*holders, sessions]} == {0o600}


def test_buckets_of_the_lake_are_made_and_no_static_key_but_ours_knows_them(
    tmp_path: Path, credentials: Credentials
) -> None:
    argv = store(tmp_path / "home", credentials).argv
    assert "-bucket=lake,lake-results,photos,released" in argv
    written = json.loads((tmp_path / "home" / "store" / "identities.json").read_text())
    actions = {one["name"]: one["actions"] for one in written["identities"]}
    of_the_lake = {
        name: [action for action in held if ":lake" in action] for name, held in actions.items()
    }
    both = ["lake", "lake-results"]
    assert of_the_lake.pop("service") == [
        f"{action}:{bucket}" for bucket in both for action in ("Read", "Write", "List")
    ]
    assert set(map(tuple, of_the_lake.values())) == {()}


def test_sessions_are_signed_with_a_key_of_their_own_and_no_rule_means_no(
    tmp_path: Path, credentials: Credentials
) -> None:
    home = tmp_path / "home"
    argv = store(home, credentials).argv
    path = home / "store" / "sessions.json"
    assert {"-s3.iam=false", f"-s3.iam.config={path}"} <= set(argv)
    written = json.loads(path.read_text())
    assert written["policy"]["defaultEffect"] == "Deny"
    key = base64.b64decode(written["sts"]["signingKey"])
    assert len(key) == 32
    assert not [secret for secret in credentials.secrets() if secret.encode() == key]
    assert written["sts"]["signingKey"] not in " ".join(argv)
