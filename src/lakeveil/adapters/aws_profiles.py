"""The files through which AWS clients find this installation: keys, and where its doors are.

HOME/aws          0600  keys as profiles; sections that we did not write are kept
HOME/aws.config   0600  endpoints: S3 is the store's, everything else is ours
HOME/aws.env      0600  points AWS clients at these two: `. HOME/aws.env`
"""

from __future__ import annotations

import configparser
import io
import shlex
from collections.abc import Mapping
from pathlib import Path

from lakeveil.adapters.credentials import S3Key, write_private
from lakeveil.errors import SetupError

KEYS, CONFIG, ENV = "aws", "aws.config", "aws.env"
DEFAULT_PROFILE = "uploader"
DOORS = ("athena", "glue", "lakeformation", "lakeveil", "rekognition", "sts")
"""The services that our own port answers for, by the names that AWS clients give them."""


def write_profiles(home: Path, keys: Mapping[str, S3Key]) -> None:
    """Put keys into the file of profiles, by name; other profiles in it stay as they are."""
    found = _read(home / KEYS)
    for name, key in keys.items():
        found[name] = {
            "aws_access_key_id": key.access_key_id,
            "aws_secret_access_key": key.secret_access_key,
        }
    if DEFAULT_PROFILE in found:
        found["default"] = dict(found[DEFAULT_PROFILE])
    _write(home / KEYS, found)


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
