"""The embedded stack's secrets: made once per installation, kept in files only their owner reads.

    HOME/                   0700
    HOME/credentials.json   0600  everything; read by our own processes

A file that anybody else could read is refused rather than repaired: its secrets may be known.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lakeveil.errors import SetupError

FILE_NAME = "credentials.json"
IDENTITIES = ("admin", "service", "reader", "uploader")
"""`admin` may do anything; `service` is Lakeveil itself: it reads sources and writes releases;
`reader` may read releases; `uploader` may write sources."""


@dataclass(frozen=True, slots=True)
class S3Key:
    """An S3 access key."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTokenKeys:
    """The keys with which SeaweedFS's parts sign their requests to each other.

    Without them its filer and volume servers answer anybody who finds their ports.
    """

    volume_write: str = field(repr=False)
    volume_read: str = field(repr=False)
    filer_write: str = field(repr=False)
    filer_read: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Every secret of one installation. `s3` has a key for each of `IDENTITIES`."""

    s3: Mapping[str, S3Key]
    nats_token: str = field(repr=False)
    store_tokens: StoreTokenKeys

    def secrets(self) -> list[str]:
        """Every secret value, for logs to hide."""
        tokens = self.store_tokens
        return [
            *(key.secret_access_key for key in self.s3.values()),
            self.nats_token,
            tokens.volume_write,
            tokens.volume_read,
            tokens.filer_write,
            tokens.filer_read,
        ]


def private_directory(path: Path) -> Path:
    """Make a directory that only its owner may enter; returns it.

    Raises:
        SetupError: it is there and others may enter it.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise SetupError(
            f"`{path}` is open to others",
            why=_describe(found) + "; it holds secrets and original photos",
            fix=f"make sure nobody used it, then: chmod 700 {path}",
            code="home_not_private",
        )
    return path


def write_private(path: Path, data: bytes) -> None:
    """Replace a file atomically by one that only its owner may read."""
    _scratch(path, data).replace(path)


def read_private(path: Path, *, code: str, risk: str, fix: str) -> bytes | None:
    """The bytes of a file that only its owner can read; None where there is none.

    Raises:
        SetupError: it cannot be read; or others could (with `code`): `risk` says what they could
            do then, and `fix` what to do about it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(
            f"`{path}` cannot be read",
            why=error.strerror or "it is not a plain file",
            fix="run Lakeveil as the user who started it first",
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        # Checked on the open file: between a check by name and the reading it could be swapped.
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise SetupError(
                f"`{path}` is open to others",
                why=f"{_describe(found)}; {risk}",
                fix=fix,
                code=code,
            )
        return file.read()


def ensure_credentials(home: Path) -> Credentials:
    """Load the credentials of `home`, or make them; two processes at once get the same ones.

    Raises:
        SetupError: the directory or a file in it is open to others, or is damaged.
    """
    path = private_directory(home) / FILE_NAME
    if not path.exists():
        scratch = _scratch(path, msgspec.json.format(msgspec.json.encode(_generate()), indent=2))
        try:
            # A link, unlike a rename, fails where somebody else was first.
            path.hardlink_to(scratch)
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
    return load_credentials(home)


def load_credentials(home: Path) -> Credentials:
    """Read the credentials of `home`.

    Raises:
        SetupError: there are none, others could read them, or the file is damaged.
    """
    path = home / FILE_NAME
    data = read_private(
        path,
        code="credentials_not_private",
        risk="its secrets may be known",
        fix=f"stop Lakeveil and remove it; the next start makes new ones: rm {path}",
    )
    if data is None:
        raise SetupError(
            f"there are no credentials in `{home}`",
            why="they are made when the stack first starts",
            fix="lakeveil up",
            code="no_credentials",
        )
    try:
        credentials = msgspec.json.decode(data, type=Credentials)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The decoder's own message could quote a value.
        raise SetupError(
            f"`{path}` is damaged",
            why="it is not the JSON document that Lakeveil wrote",
            fix=f"restore it, or remove it to make new credentials: rm {path}",
            code="credentials_damaged",
        ) from error
    missing = [name for name in IDENTITIES if name not in credentials.s3]
    if missing:
        raise SetupError(
            f"`{path}` has no key for {', '.join(missing)}",
            why="it was written by another version, or edited",
            fix=f"remove it to make new credentials: rm {path}",
            code="credentials_damaged",
        )
    return credentials


def _generate() -> Credentials:
    return Credentials(
        s3={
            name: S3Key(f"LV{secrets.token_hex(9).upper()}", secrets.token_urlsafe(30))
            for name in IDENTITIES
        },
        nats_token=secrets.token_urlsafe(32),
        store_tokens=StoreTokenKeys(
            volume_write=secrets.token_urlsafe(32),
            volume_read=secrets.token_urlsafe(32),
            filer_write=secrets.token_urlsafe(32),
            filer_read=secrets.token_urlsafe(32),
        ),
    )


def _scratch(path: Path, data: bytes) -> Path:
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(scratch, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return scratch


def _describe(found: os.stat_result) -> str:
    if found.st_uid != os.geteuid():
        return f"it belongs to user {found.st_uid}, and you are {os.geteuid()}"
    return f"its mode is {stat.S_IMODE(found.st_mode):04o}"
