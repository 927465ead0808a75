"""The secret that masks hash with: made once, kept in a file that only its owner reads.

Equal values have equal hashes only as long as it stays: with another one, what was joined on a
masked column before is not found again.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from lakeveil.adapters.credentials import private_directory, read_private
from lakeveil.errors import SetupError

FILE_NAME = "mask.salt"
_BYTES = 32


def ensure_mask_salt(home: Path) -> str:
    """The salt of an installation as hexadecimal digits; two processes at once get the same one.

    Raises:
        SetupError: the file is open to others, or damaged.
    """
    path = private_directory(home) / FILE_NAME
    if not path.exists():
        scratch = path.with_name(f".{FILE_NAME}.{secrets.token_hex(8)}")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link, unlike a rename, fails where somebody else was first.
            path.hardlink_to(scratch)
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
    found = read_private(
        path,
        code="mask_salt_not_private",
        risk="whoever knows it can try values until a hash fits",
        fix=f"stop Lakeveil and remove it; hashes are others from then on: rm {path}",
    )
    salt = (found or b"").decode("ascii", "replace").strip()
    if len(salt) != 2 * _BYTES:
        raise SetupError(
            f"`{path}` is damaged",
            why=f"it does not hold {2 * _BYTES} hexadecimal digits",
            fix="restore it from a backup: with another one hashes are others",
            code="mask_salt_damaged",
        )
    return salt
