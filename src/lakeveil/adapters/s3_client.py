"""A boto3 client of an S3 store, as everything of ours speaks to one. Thread-safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from lakeveil.adapters.object_store import StoreKey


def s3_client_of(
    endpoint: str | None,
    key: StoreKey | None,
    *,
    region: str,
    timeout_s: float = 20.0,
    attempts: int = 3,
) -> Any:
    """`endpoint` None is Amazon S3; `key` None leaves finding credentials to boto3's chain."""
    session = boto3.Session(
        aws_access_key_id=key.access_key_id if key else None,
        aws_secret_access_key=key.secret_access_key if key else None,
        aws_session_token=key.session_token if key else None,
        region_name=region,
    )
    return session.client(
        "s3",
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=min(timeout_s, 5.0),
            read_timeout=timeout_s,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=32,
            s3={"addressing_style": "path" if endpoint else "auto"},
            # Newer checksums are unknown to several stores that speak S3 otherwise.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
