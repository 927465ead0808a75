"""Keys as profiles for the AWS clients of this machine, with where our doors are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lakeveil.adapters.aws_profiles import write_aws_config, write_profiles
from lakeveil.adapters.credentials import S3Key
from lakeveil.settings import Settings


def keep_profiles(settings: Settings, keys: Mapping[str, S3Key]) -> Path:
    """Write keys down by profile, others stay; returns the file to source in a shell.

    Raises:
        SetupError: the file of profiles is damaged.
    """
    home = settings.home_path
    write_profiles(home, keys)
    return write_aws_config(
        home,
        endpoint=settings.s3_endpoint,
        doors=http_url(settings),
        region=settings.store.region,
    )


def http_url(settings: Settings) -> str:
    """Where clients on this machine find the HTTP server."""
    listens = settings.http.host
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listens, listens)  # noqa: S104 - not to listen, to ask
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.http.certificate else "http"
    return f"{scheme}://{host}:{settings.ports.http}"
