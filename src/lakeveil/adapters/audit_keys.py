"""The audit log's keys: in a file in HOME, never in the database whose records they protect.

    HOME/audit-keys.json       0600  the keys
    HOME/audit-keys.json.new   0600  drawn for a log whose first record is not written yet

- `seal` (HMAC-SHA-256) seals hashes and heads: with the database alone nobody can forge a chain.
- `master` (AES-256, RFC 3394 key wrap) wraps the data key of each record's encrypted part. Each
  data key encrypts once (AES-256-GCM, bound to the record's id); without it that part is noise,
  also for who has this file: removing the wrapped key erases the text and breaks no hash.
- `signing` (Ed25519) signs exported heads, which others can check with the public key.

The keys are as precious as the log: without them it cannot be verified, read or written. Back them
up elsewhere than the database. A file that others could read is refused, not repaired.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

from lakeveil.adapters.credentials import read_private, write_private
from lakeveil.core.audit import canonical
from lakeveil.errors import SetupError

FILE_NAME = "audit-keys.json"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_PAD_TO = 64
"""A ciphertext tells how long its text was: only in steps of so many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditKeys:
    """The keys of one log, each of 32 bytes."""

    seal: bytes = field(repr=False)
    master: bytes = field(repr=False)
    signing: bytes = field(repr=False)

    def encrypt(self, record_id: str, sensitive: Mapping[str, str]) -> tuple[str, bytes]:
        """The ciphertext (base64) for the record, and its wrapped data key for the key table.

        Raises:
            UsageError: it is not a mapping of text to text.
        """
        clear = canonical(sensitive).encode("ascii")
        clear = clear.ljust(-(-len(clear) // _PAD_TO) * _PAD_TO)
        key, nonce = os.urandom(_KEY_BYTES), os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(key).encrypt(nonce, clear, record_id.encode())
        return base64.b64encode(sealed).decode(), aes_key_wrap(self.master, key)

    def decrypt(self, record_id: str, sealed: str, wrapped: bytes) -> dict[str, str]:
        """What `encrypt` was given.

        Raises:
            SetupError: ciphertext, wrapped key and these keys do not belong together.
        """
        try:
            raw = base64.b64decode(sealed, validate=True)
            key = aes_key_unwrap(self.master, wrapped)
            clear = AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], record_id.encode())
        except (InvalidTag, InvalidUnwrap, ValueError) as error:
            raise SetupError(
                f"the encrypted part of record `{record_id}` cannot be read",
                why="it, or its key, was changed, or it was written with other keys",
                fix="lakeveil audit verify",
                code="audit_unreadable",
            ) from error
        found: dict[str, str] = json.loads(clear)
        return found

    def sign(self, message: bytes) -> str:
        """The Ed25519 signature, base64."""
        signed = Ed25519PrivateKey.from_private_bytes(self.signing).sign(message)
        return base64.b64encode(signed).decode()

    @property
    def public_key(self) -> str:
        """What signatures are checked with, base64 of 32 bytes."""
        public = Ed25519PrivateKey.from_private_bytes(self.signing).public_key()
        return base64.b64encode(public.public_bytes_raw()).decode()


def is_signed(message: bytes, *, signature: str, public_key: str) -> bool:
    """Whether the holder of that public key's private half signed the message."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def load_keys(home: Path) -> AuditKeys | None:
    """The keys of the log that was begun in `home`; None where none was.

    Raises:
        SetupError: others could read the file, or it is damaged.
    """
    return _read(home / FILE_NAME)


def draw_keys(home: Path) -> AuditKeys:
    """Keys for a log that is about to begin; the same again if that was cut short.

    The caller must keep others from doing so at the same time.
    """
    path = _draft(home)
    if (found := _read(path)) is not None:
        return found
    keys = AuditKeys(**{name: secrets.token_bytes(_KEY_BYTES) for name in AuditKeys.__slots__})
    shown = {name: base64.b64encode(getattr(keys, name)).decode() for name in AuditKeys.__slots__}
    write_private(path, json.dumps(shown, indent=2).encode() + b"\n")
    return keys


def keep_keys(home: Path) -> None:
    """From now on the drawn keys are the log's: its first record is written."""
    _draft(home).rename(home / FILE_NAME)


def _draft(home: Path) -> Path:
    return home / f"{FILE_NAME}.new"


def _read(path: Path) -> AuditKeys | None:
    data = read_private(
        path,
        code="audit_keys_not_private",
        risk="who reads it can forge the audit log and read what it keeps encrypted",
        fix=f"find out who did; to go on with these keys all the same: chmod 600 {path}",
    )
    if data is None:
        return None
    try:
        shown = msgspec.json.decode(data, type=dict[str, str])
        return AuditKeys(**{name: _key(shown[name]) for name in AuditKeys.__slots__})
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, ValueError) as error:
        # The decoder's own message could quote a key.
        raise SetupError(
            f"`{path}` is damaged",
            why="it is not the JSON document that Lakeveil wrote",
            fix="restore it from a backup: without its keys the audit log cannot be read",
            code="audit_keys_damaged",
        ) from error


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != _KEY_BYTES:
        raise ValueError("a key of another length")
    return key
