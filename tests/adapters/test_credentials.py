"""Credentials are made once, kept from everybody else, and never shown."""

from __future__ import annotations

import json
import multiprocessing
import time
from pathlib import Path

import pytest

from lakeveil.adapters.certificates import RENEW_DAYS, VALID_DAYS, ensure_certificates
from lakeveil.adapters.credentials import (
    IDENTITIES,
    ensure_credentials,
    load_credentials,
    private_directory,
)
from lakeveil.errors import SetupError

DAY_S = 86_400


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_they_are_made_once_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = ensure_credentials(home)
    assert ensure_credentials(home) == load_credentials(home) == first
    assert mode(home) == 0o700
    assert {path.name: mode(path) for path in home.iterdir()} == {"credentials.json": 0o600}


def test_every_secret_is_another_one_and_none_shows(tmp_path: Path) -> None:
    credentials = ensure_credentials(tmp_path / "home")
    secrets = credentials.secrets()
    assert len(set(secrets)) == len(secrets) == len(IDENTITIES) + 5
    assert min(map(len, secrets)) >= 40
    shown = f"{credentials!r} {credentials}"
    assert not [secret for secret in secrets if secret in shown]


def test_two_processes_at_once_get_the_same(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(ensure_credentials, [tmp_path / "home"] * 8)
    assert len({one.nats_token for one in found}) == 1


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o660, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, open_to: int) -> None:
    home = tmp_path / "home"
    token = ensure_credentials(home).nats_token
    (home / "credentials.json").chmod(open_to)
    with pytest.raises(SetupError, match="open to others") as caught:
        load_credentials(home)
    assert token not in str(caught.value.as_dict())


def test_a_home_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    with pytest.raises(SetupError, match="open to others"):
        private_directory(home)


def test_a_symlink_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    ensure_credentials(tmp_path / "mine")
    ensure_credentials(tmp_path / "other")
    path = tmp_path / "mine" / "credentials.json"
    path.unlink()
    path.symlink_to(tmp_path / "other" / "credentials.json")
    with pytest.raises(SetupError, match="cannot be read"):
        load_credentials(tmp_path / "mine")


def test_without_credentials_the_error_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no credentials") as caught:
        load_credentials(tmp_path)
    assert caught.value.fix == "lakeveil up"


def test_a_damaged_file_is_refused_without_a_word_of_its_content(tmp_path: Path) -> None:
    home = tmp_path / "home"
    token = ensure_credentials(home).nats_token
    path = home / "credentials.json"
    whole = path.read_text()
    path.write_text(whole[:-20])
    with pytest.raises(SetupError, match="damaged") as caught:
        load_credentials(home)
    assert token not in str(caught.value.as_dict())
    document = json.loads(whole)
    del document["s3"]["reader"]
    path.write_text(json.dumps(document))
    with pytest.raises(SetupError, match="no key for reader"):
        load_credentials(home)


def test_certificates_are_kept_until_they_near_their_end(tmp_path: Path) -> None:
    now = time.time()
    paths = ensure_certificates(tmp_path / "tls", now=now)
    first = paths.ca.read_bytes()
    files = [*(tmp_path / "tls").iterdir()]
    assert {mode(path) for path in files} == {0o600}
    ensure_certificates(tmp_path / "tls", now=now + DAY_S)
    assert paths.ca.read_bytes() == first
    ensure_certificates(tmp_path / "tls", now=now + (VALID_DAYS - RENEW_DAYS + 1) * DAY_S)
    assert paths.ca.read_bytes() != first


def test_a_certificate_that_does_not_fit_is_replaced(tmp_path: Path) -> None:
    now = time.time()
    paths = ensure_certificates(tmp_path / "tls", now=now)
    other = ensure_certificates(tmp_path / "other", now=now)
    paths.client.cert.write_bytes(other.client.cert.read_bytes())
    before = paths.ca.read_bytes()
    ensure_certificates(tmp_path / "tls", now=now)
    assert paths.ca.read_bytes() != before


def test_the_authority_keeps_no_key_to_sign_anybody_else(tmp_path: Path) -> None:
    ensure_certificates(tmp_path / "tls", now=time.time())
    assert sorted(path.name for path in (tmp_path / "tls").iterdir()) == [
        *("ca.crt", "client.crt", "client.key", "store.crt", "store.key")
    ]
