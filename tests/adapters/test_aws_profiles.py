"""AWS clients find keys and endpoints in files that only their owner may read."""

from __future__ import annotations

import configparser
import subprocess
import sysconfig
import threading
from pathlib import Path

import boto3
import pytest

from lakeveil.adapters.aws_profiles import DOORS, key_in_profile, write_aws_config, write_profiles
from lakeveil.adapters.credentials import IDENTITIES, S3Key, ensure_credentials
from lakeveil.errors import SetupError, UsageError

DOOR, STORE = "http://127.0.0.1:8190", "http://127.0.0.1:8333"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    write_profiles(home, ensure_credentials(home).s3)
    write_aws_config(home, endpoint=STORE, doors=DOOR, region="eu-west-1")
    return home


@pytest.fixture
def environ(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "aws.config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "aws"))


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("profile", [*IDENTITIES, "default"])
def test_each_key_is_a_profile_that_knows_every_endpoint(home: Path, profile: str) -> None:
    session = boto3.Session(profile_name=profile)
    key = ensure_credentials(home).s3["uploader" if profile == "default" else profile]

    found = session.get_credentials()

    assert found is not None
    assert (found.access_key, found.secret_key) == (key.access_key_id, key.secret_access_key)
    assert session.client("s3").meta.endpoint_url == STORE
    for service in set(DOORS) - {"lakeveil"}:
        assert session.client(service).meta.endpoint_url == DOOR
        assert session.client(service).meta.region_name == "eu-west-1"


def test_the_aws_command_line_finds_them_too(home: Path) -> None:
    scripts = sysconfig.get_path("scripts")
    get = "aws configure get"
    script = f". {home}/aws.env && {get} region && {get} aws_access_key_id --profile reader"
    done = subprocess.run(
        ["sh", "-c", script],
        env={"PATH": f"{scripts}:/usr/bin:/bin", "HOME": str(home), "AWS_ACCESS_KEY_ID": "other"},
        capture_output=True,
        text=True,
        check=True,
    )
    reader = ensure_credentials(home).s3["reader"].access_key_id
    assert done.stdout.split() == ["eu-west-1", reader]


def test_every_section_has_a_name(home: Path) -> None:
    config = configparser.RawConfigParser(default_section="")
    config.read(home / "aws.config")

    assert set(config.sections()) == {
        "default",
        "services lakeveil",
        *(f"profile {name}" for name in IDENTITIES),
    }
    assert "lakeveil" in config["services lakeveil"]


@pytest.mark.usefixtures("environ")
def test_a_key_that_was_added_outlives_the_next_start(home: Path) -> None:
    credentials = ensure_credentials(home)
    write_profiles(home, {"lake-admin": credentials.s3["admin"]})

    write_profiles(home, credentials.s3)
    write_aws_config(home, endpoint=STORE, doors=DOOR, region="eu-west-1")

    session = boto3.Session(profile_name="lake-admin")
    assert session.get_credentials() is not None
    assert session.client("glue").meta.endpoint_url == DOOR


@pytest.mark.usefixtures("environ")
def test_without_a_store_of_ours_s3_stays_amazons(home: Path) -> None:
    write_aws_config(home, endpoint=None, doors=DOOR, region="eu-west-1")

    client = boto3.Session(profile_name="admin").client("s3")

    assert client.meta.endpoint_url == "https://s3.eu-west-1.amazonaws.com"


def test_only_their_owner_may_read_them(home: Path) -> None:
    assert {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()} == dict.fromkeys(
        ["credentials.json", "aws", "aws.config", "aws.env", "aws.lock"], 0o600
    )


def test_a_damaged_file_is_refused_without_quoting_it(home: Path) -> None:
    (home / "aws").write_text("my secret is hunter2")

    with pytest.raises(SetupError, match="damaged") as caught:
        write_profiles(home, {})

    assert "hunter2" not in str(caught.value.as_dict())


def test_the_key_in_a_profile_is_told_without_its_secret(home: Path) -> None:
    write_profiles(home, {"ana": S3Key("LVIAEXAMPLE", "hunter2")})

    assert key_in_profile(home, "ana") == "LVIAEXAMPLE"
    assert key_in_profile(home, "bob") is None


@pytest.mark.parametrize("name", [*IDENTITIES, "default"])
def test_what_every_start_writes_is_nobodys_own(home: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not yours"):
        key_in_profile(home, name)


@pytest.mark.parametrize("name", ["", "a b", "-a", "a]\n[b", "$(id)", "é", "a" * 65, "a\n"])
def test_a_name_that_a_shell_or_a_file_would_read_otherwise_is_refused(
    home: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="no name for a profile"):
        key_in_profile(home, name)


def test_of_keys_that_are_written_at_once_none_is_lost(home: Path) -> None:
    names = [f"person-{number}" for number in range(8)]
    start = threading.Barrier(len(names))

    def write(name: str) -> None:
        start.wait()
        write_profiles(home, {name: S3Key(name.upper(), "secret")})

    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [key_in_profile(home, name) for name in names] == [name.upper() for name in names]
