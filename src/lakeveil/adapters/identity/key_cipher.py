"""Encrypts the secrets of access keys at rest, with a key in a file beside the state.

    HOME/identity.key   0600   32 random bytes; made once per installation

Signatures of AWS are made with the secret itself, so a hash of it would not do. AES-256-GCM binds
each secret to its key's id: a row copied to another id does not open. Whoever has only the
database, or a backup of it, has no secret.
"""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lakeveil.adapters.credentials import private_directory, read_private, write_private
from lakeveil.errors import SetupError

FILE_NAME = "identity.key"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_FORM = b"\x01"
"""Leads every ciphertext, so that another cipher can follow one day."""


class KeyCipher:
    """Seals and opens secrets. Thread-safe."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, secret: str, *, key_id: str) -> str:
        """Encrypt the secret of an access key: base64."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._aead.encrypt(nonce, secret.encode(), _FORM + key_id.encode())
        return base64.b64encode(_FORM + nonce + sealed).decode()

    def open(self, sealed: str, *, key_id: str) -> str:
        """Decrypt what `seal` made for the same access key.

        Raises:
            SetupError: it was sealed with another key file or for another id, or was changed.
        """
        try:
            data = base64.b64decode(sealed, validate=True)
            form, nonce, rest = data[:1], data[1 : 1 + _NONCE_BYTES], data[1 + _NONCE_BYTES :]
            # The form is part of what is authenticated: another one does not open.
            return self._aead.decrypt(nonce, rest, form + key_id.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SetupError(
                f"the secret of access key `{key_id}` cannot be read",
                why=f"the state and `{FILE_NAME}` do not belong together, or one was changed",
                fix="restore both from the same backup, or make the caller a new key",
                code="sealed_secret_damaged",
            ) from error


def open_key_cipher(home: Path) -> KeyCipher:
    """The cipher of an installation; two processes that make it at once get the same one.

    Raises:
        SetupError: the directory or the file is open to others, or the file is damaged.
    """
    path = private_directory(home) / FILE_NAME
    if not path.exists():
        scratch = path.with_name(f".{FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}.new")
        write_private(scratch, secrets.token_bytes(_KEY_BYTES))
        try:
            # A link, unlike a rename, fails where somebody else was first.
            path.hardlink_to(scratch)
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
    return KeyCipher(_read(path))


def _read(path: Path) -> bytes:
    key = read_private(
        path,
        code="identity_key_not_private",
        risk="whoever read it can read every access key in the state",
        fix="make sure that nobody did, then: chmod 600; or make all callers new keys",
    )
    if key is None or len(key) != _KEY_BYTES:
        raise SetupError(
            f"`{path}` is damaged",
            why=f"it does not hold {_KEY_BYTES} bytes",
            fix="restore it from the backup that the state comes from",
            code="identity_key_damaged",
        )
    return key
