"""The embedded object store: `weed mini` with every door but S3 shut.

Out of the box its filer and master serve, list and delete objects for whoever finds their ports:
the filer over HTTP and gRPC, and the master's `/col/delete` removes a whole bucket. So every HTTP
and gRPC listener other than S3 demands a certificate that only the store itself and our event
bridge hold (mutual TLS), and behind that the parts sign their requests (JWT). Everything listens
on loopback; the two sockets lie in a directory that only their owner may enter. Nobody makes keys
over S3: the IAM API is off, and `adapters.store_keys` comes through the filer's door.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from lakeveil.adapters.certificates import StoreCertificates, certificate_paths
from lakeveil.adapters.child import ChildSpec
from lakeveil.adapters.credentials import Credentials, S3Key, private_directory, write_private
from lakeveil.adapters.nats_server import program
from lakeveil.adapters.seaweedfs_sessions import sessions_config
from lakeveil.errors import UsageError

HOST = "127.0.0.1"
ADMIN_GRPC_OFFSET = 10_000
_GRPC_PARTS = ("master", "volume", "filer", "s3", "admin", "worker")
_HTTPS_PARTS = ("master", "volume", "filer", "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePorts:
    """Loopback ports. `s3` is the one for clients; the others answer certificates only."""

    s3: int
    s3_grpc: int
    filer: int
    filer_grpc: int
    master: int
    master_grpc: int
    volume: int
    volume_grpc: int
    admin: int
    admin_grpc: int


def weed_mini(
    home: Path,
    *,
    ports: StorePorts,
    credentials: Credentials,
    certificates: StoreCertificates,
    sources: Sequence[str],
    releases: Sequence[str],
    lake: Sequence[str] = (),
    environ: Mapping[str, str],
) -> ChildSpec:
    """Write the store's identities and say how to run it; makes missing buckets when it starts.

    `sources`, `releases` and `lake` are bucket names, none twice. Ready means that our own key
    sees every bucket.

    Raises:
        UsageError: `admin_grpc` is not `admin` + 10000; the store's own parts look there.
    """
    if ports.admin_grpc != ports.admin + ADMIN_GRPC_OFFSET:
        raise UsageError(
            f"`ports.admin_grpc` is {ports.admin_grpc}",
            why="the store looks for it 10000 above `ports.admin`, whatever it was told",
            fix=f"set ports.admin_grpc = {ports.admin + ADMIN_GRPC_OFFSET}, "
            f"or another ports.admin (at most 55535)",
        )
    directory = private_directory(home / "store")
    data = private_directory(directory / "data")
    identities = directory / "identities.json"
    config = identities_config(credentials, sources, releases, lake)
    write_private(identities, json.dumps(config).encode())
    sessions = directory / "sessions.json"
    write_private(sessions, json.dumps(sessions_config(credentials)).encode())
    buckets = sorted({*sources, *releases, *lake})
    client = s3_client(ports.s3, credentials.s3["service"])
    # Relative to its working directory: a socket's path may have only 107 bytes.
    # `mini` keeps the flags of its last start in a file and reads it at the next: pass them all.
    argv = [
        program("weed"),
        "-logtostderr=true",
        "mini",
        f"-dir={data}",
        f"-ip={HOST}",
        f"-ip.bind={HOST}",
        "-master.telemetry=false",
        "-webdav=false",
        "-admin.ui=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        # Else a mistyped bucket comes into being, and nobody looks at what is put there.
        "-s3.autoCreateBucket=false",
        # As on S3 itself: a bucket must be empty before it can go.
        "-s3.allowDeleteBucketNotEmpty=false",
        "-filer.exposeDirectoryData=false",
        "-filer.disableDirListing=true",
        # One volume server: nobody is there to learn that it goes.
        "-volume.preStopSeconds=0",
        f"-s3.config={identities}",
        # Its IAM API would tell a session every key's id, and its STS make sessions of its own.
        "-s3.iam=false",
        # Without it the key that opens the filer's own door would sign sessions, too.
        f"-s3.iam.config={sessions}",
        f"-s3.port={ports.s3}",
        f"-s3.port.grpc={ports.s3_grpc}",
        f"-filer.port={ports.filer}",
        f"-filer.port.grpc={ports.filer_grpc}",
        f"-master.port={ports.master}",
        f"-master.port.grpc={ports.master_grpc}",
        f"-volume.port={ports.volume}",
        f"-volume.port.grpc={ports.volume_grpc}",
        f"-admin.port={ports.admin}",
        f"-admin.port.grpc={ports.admin_grpc}",
        "-filer.localSocket=filer.sock",
        "-s3.localSocket=s3.sock",
        f"-bucket={','.join(buckets)}",
    ]
    return ChildSpec(
        name="weed",
        argv=argv,
        env=server_environment(credentials, certificates, environ=environ, home=directory),
        log=home / "logs" / "weed.log",
        cwd=directory,
        ready=lambda: all(sees(client, bucket) for bucket in buckets),
        ready_timeout_s=60.0,
    )


def identities_config(
    credentials: Credentials,
    sources: Sequence[str],
    releases: Sequence[str],
    lake: Sequence[str] = (),
) -> dict[str, object]:
    """Who may do what over S3, in SeaweedFS's own form.

    Lakeveil's own key may not write originals, so no fault of ours can lose one. The buckets of
    the `lake` are its alone; callers get their folders there by `adapters.store_keys`.
    """
    actions = {
        "admin": ["Admin", "Read", "Write", "List", "Tagging"],
        "service": [
            *(f"{action}:{bucket}" for bucket in sources for action in ("Read", "List")),
            *(
                f"{action}:{bucket}"
                for bucket in releases
                for action in ("Read", "Write", "List", "Tagging")
            ),
            *(f"{action}:{bucket}" for bucket in lake for action in ("Read", "Write", "List")),
        ],
        "reader": [f"{action}:{bucket}" for bucket in releases for action in ("Read", "List")],
        "uploader": [f"{action}:{bucket}" for bucket in sources for action in ("Write", "List")],
    }
    return {
        "identities": [
            {
                "name": name,
                "credentials": [
                    {
                        "accessKey": credentials.s3[name].access_key_id,
                        "secretKey": credentials.s3[name].secret_access_key,
                    }
                ],
                "actions": allowed,
            }
            for name, allowed in actions.items()
        ]
    }


def server_environment(
    credentials: Credentials,
    certificates: StoreCertificates,
    *,
    environ: Mapping[str, str],
    home: Path,
) -> dict[str, str]:
    """The environment in which `weed mini` shuts its back doors."""
    tokens = credentials.store_tokens
    env = _without_surroundings(environ, home)
    env |= {
        "WEED_JWT_SIGNING_KEY": tokens.volume_write,
        "WEED_JWT_SIGNING_READ_KEY": tokens.volume_read,
        "WEED_JWT_FILER_SIGNING_KEY": tokens.filer_write,
        "WEED_JWT_FILER_SIGNING_READ_KEY": tokens.filer_read,
        "WEED_GRPC_CA": str(certificates.ca),
        "WEED_GRPC_CLIENT_CERT": str(certificates.store.cert),
        "WEED_GRPC_CLIENT_KEY": str(certificates.store.key),
        "WEED_HTTPS_CLIENT_ENABLED": "true",
        "WEED_HTTPS_CLIENT_CA": str(certificates.ca),
        "WEED_HTTPS_CLIENT_CERT": str(certificates.store.cert),
        "WEED_HTTPS_CLIENT_KEY": str(certificates.store.key),
    }
    for part in _GRPC_PARTS:
        env[f"WEED_GRPC_{part.upper()}_CERT"] = str(certificates.store.cert)
        env[f"WEED_GRPC_{part.upper()}_KEY"] = str(certificates.store.key)
    for part in _HTTPS_PARTS:
        env[f"WEED_HTTPS_{part.upper()}_CERT"] = str(certificates.store.cert)
        env[f"WEED_HTTPS_{part.upper()}_KEY"] = str(certificates.store.key)
        # With an authority named, the listener demands a certificate from every caller.
        env[f"WEED_HTTPS_{part.upper()}_CA"] = str(certificates.ca)
    return env


def client_environment(home: Path, *, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which `weed` commands (`filer.meta.tail`, `shell`) are let in."""
    certificates = certificate_paths(home / "store" / "tls")
    return _without_surroundings(environ, home / "store") | {
        "WEED_GRPC_CA": str(certificates.ca),
        "WEED_GRPC_CLIENT_CERT": str(certificates.client.cert),
        "WEED_GRPC_CLIENT_KEY": str(certificates.client.key),
    }


def started_at(home: Path) -> float:
    """When the embedded store of `home` last started (UTC seconds); 0 when it never did."""
    try:
        # It makes its socket anew at each start.
        return (home / "store" / "s3.sock").stat().st_mtime
    except OSError:
        return 0.0


def s3_client(port: int, key: S3Key, *, timeout_s: float = 3.0) -> Any:
    """A boto3 client of the embedded store, with this key and nothing of the surroundings."""
    return boto3.client(
        "s3",
        endpoint_url=f"http://{HOST}:{port}",
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        region_name="us-east-1",
        config=botocore.config.Config(
            s3={"addressing_style": "path"},
            connect_timeout=timeout_s,
            read_timeout=timeout_s,
            retries={"total_max_attempts": 1},
            # A proxy of the surroundings is no way to loopback.
            proxies={},
        ),
    )


def sees(client: Any, bucket: str) -> bool:
    """Whether the store answers a signed request for the bucket's listing."""
    try:
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        return False
    return True


def _without_surroundings(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    # It reads any WEED_* variable and $HOME/.seaweedfs/security.toml, and AWS_* keys would
    # become a second administrator.
    kept = {k: v for k, v in environ.items() if not k.startswith(("WEED_", "AWS_", "S3_"))}
    return kept | {"HOME": str(home)}
