"""The files through which AWS clients find this installation: keys, and where its doors are.

HOME/aws          0600  keys as profiles; sections that we did not write are kept
HOME/aws.config   0600  endpoints: S3 is the store's, everything else is ours
HOME/aws.env      0600  points AWS clients at these two: `. HOME/aws.env`
HOME/aws.lock     0600  held while the keys are written, so that no two writers lose one

A profile of somebody's own has a name that needs no quoting in a shell or a URL, and none that
every start writes anew.
"""

from __future__ import annotations

import configparser
import fcntl
import io
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lakeveil.adapters.credentials import IDENTITIES, S3Key, write_private
from lakeveil.errors import SetupError, UsageError

KEYS, CONFIG, ENV, LOCK = "aws", "aws.config", "aws.env", "aws.lock"
DEFAULT_PROFILE = "uploader"
DOORS = ("athena", "glue", "lakeformation", "lakeveil", "rekognition", "sts")
"""The services that our own port answers for, by the names that AWS clients give them."""
_NAME = re.compile(r"[A-Za-z0-9][\w.@+-]{0,63}", re.ASCII)
_OURS = frozenset({"default", *IDENTITIES})


def write_profiles(home: Path, keys: Mapping[str, S3Key]) -> None:
    """Put keys into the file of profiles, by name; other profiles in it stay as they are."""
    with _alone(home):
        found = _read(home / KEYS)
        for name, key in keys.items():
            found[name] = {
                "aws_access_key_id": key.access_key_id,
                "aws_secret_access_key": key.secret_access_key,
            }
        if DEFAULT_PROFILE in found:
            found["default"] = dict(found[DEFAULT_PROFILE])
        _write(home / KEYS, found)


def key_in_profile(home: Path, name: str) -> str | None:
    """The id of the key that a profile of somebody's own holds now; None where there is none.

    Raises:
        UsageError: no profile of somebody's own may have this name.
        SetupError: the file of profiles is damaged.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"`{name[:64]}` is no name for a profile",
            why="it is written into files and typed in shells",
            fix="use up to 64 letters, digits and _.@+-, a letter or digit first",
        )
    if name in _OURS:
        raise UsageError(
            f"the profile `{name}` is not yours to write",
            why="each `lakeveil up` writes its key anew",
            fix="choose another name, as the user's",
        )
    found = _read(home / KEYS)
    return found[name].get("aws_access_key_id", "") if name in found else None


def write_aws_config(home: Path, *, endpoint: str | None, doors: str, region: str) -> Path:
    """Say where the endpoints are: the store's, and ours; returns the file to source in a shell.

    `endpoint` None leaves S3 to Amazon's own.
    """
    names = [name for name in _read(home / KEYS).sections() if name != "default"]
    config = configparser.RawConfigParser(default_section="")
    urls = {**({"s3": endpoint} if endpoint else {}), **dict.fromkeys(DOORS, doors)}
    for section in ("default", *(f"profile {name}" for name in names)):
        config[section] = {"region": region, "services": "lakeveil"}
    config["services lakeveil"] = {
        service: f"\nendpoint_url = {url}" for service, url in urls.items()
    }
    _write(home / CONFIG, config)
    lines = [
        "# Source it: `. FILE`. Then any AWS client speaks to this installation.",
        f"export AWS_CONFIG_FILE={shlex.quote(str(home / CONFIG))}",
        f"export AWS_SHARED_CREDENTIALS_FILE={shlex.quote(str(home / KEYS))}",
        f"export AWS_PROFILE={DEFAULT_PROFILE}",
        # They would win over the profile.
        "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_ENDPOINT_URL",
    ]
    write_private(home / ENV, ("\n".join(lines) + "\n").encode())
    return home / ENV


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the lock of the profiles: who reads, changes and replaces them would lose a key."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(home / LOCK, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> configparser.RawConfigParser:
    found = configparser.RawConfigParser(default_section="")
    found.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        found.read(path, "utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        # The parser's own message would quote the line, and the line may be a secret.
        raise SetupError(
            f"`{path}` is damaged",
            why="it is no file of AWS profiles",
            fix=f"restore it, or remove it: rm {path}",
            code="profiles_damaged",
        ) from error
    return found


def _write(path: Path, config: configparser.RawConfigParser) -> None:
    text = io.StringIO()
    config.write(text)
    write_private(path, text.getvalue().encode())
