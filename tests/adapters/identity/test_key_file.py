"""Secrets at rest: one key file, for its owner only."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from lakeveil.adapters.identity import open_identity_store
from lakeveil.adapters.identity.key_cipher import KeyCipher, open_key_cipher
from lakeveil.adapters.tables.identity import identity_keys
from lakeveil.errors import SetupError
from tests.identity_parts import Identity, allow


def test_the_key_file_is_for_its_owner_only_and_stays(tmp_path: Path) -> None:
    sealed = open_key_cipher(tmp_path / "home").seal("secret", key_id="LVIA1")
    path = tmp_path / "home" / "identity.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_key_cipher(tmp_path / "home").open(sealed, key_id="LVIA1") == "secret"
    assert [p.name for p in path.parent.iterdir()] == ["identity.key"]


def test_processes_that_start_at_once_agree_on_one_key_file(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from lakeveil.adapters.identity.key_cipher import *\n"
        "print(open_key_cipher(pathlib.Path(sys.argv[1])).seal('s', key_id='k'))"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "home")], stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    sealed = [child.communicate(timeout=60)[0].decode().strip() for child in children]
    cipher = open_key_cipher(tmp_path / "home")
    assert [cipher.open(text, key_id="k") for text in sealed] == ["s"] * 3


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_could_read_is_refused(tmp_path: Path, mode: int) -> None:
    open_key_cipher(tmp_path / "home")
    (tmp_path / "home" / "identity.key").chmod(mode)
    with pytest.raises(SetupError) as refusal:
        open_key_cipher(tmp_path / "home")
    assert refusal.value.code == "identity_key_not_private"


def test_a_damaged_key_file_is_refused(tmp_path: Path) -> None:
    open_key_cipher(tmp_path / "home")
    (tmp_path / "home" / "identity.key").write_bytes(b"short")
    with pytest.raises(SetupError):
        open_key_cipher(tmp_path / "home")


def test_a_key_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    open_key_cipher(tmp_path / "home")
    path = tmp_path / "home" / "identity.key"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SetupError):
        open_key_cipher(tmp_path / "home")


def test_a_secret_opens_with_its_own_key_and_for_its_own_id_only() -> None:
    cipher = KeyCipher(b"k" * 32)
    sealed = cipher.seal("secret", key_id="LVIA1")
    assert sealed != cipher.seal("secret", key_id="LVIA1")
    for other, key_id, text in [
        (KeyCipher(b"x" * 32), "LVIA1", sealed),
        (cipher, "LVIA2", sealed),
        (cipher, "LVIA1", sealed[:-8] + "AAAAAAA="),
        (cipher, "LVIA1", "Ag" + sealed[2:]),
        (cipher, "LVIA1", ""),
        (cipher, "LVIA1", "not base64"),
    ]:
        with pytest.raises(SetupError) as refusal:
            other.open(text, key_id=key_id)
        assert "secret" not in str(refusal.value.why)


def test_another_installations_key_file_opens_nothing(identity: Identity, tmp_path: Path) -> None:
    key = identity.user("ana")
    store = open_identity_store(identity.engine, tmp_path / "another", identity.clock)
    with pytest.raises(SetupError) as refusal:
        store.secret_of(key.access_key_id)
    assert refusal.value.code == "sealed_secret_damaged"


def test_a_row_copied_to_another_key_opens_nothing(identity: Identity) -> None:
    admin, mallory = identity.user("admin", allow()), identity.user("mallory")
    with identity.engine.begin() as connection:
        sealed = connection.scalar(
            sa.select(identity_keys.c.sealed_secret).where(
                identity_keys.c.id == mallory.access_key_id
            )
        )
        connection.execute(
            sa.update(identity_keys)
            .where(identity_keys.c.id == admin.access_key_id)
            .values(sealed_secret=sealed)
        )
    with pytest.raises(SetupError):
        identity.store.secret_of(admin.access_key_id)
