"""Keys and sessions at the test session's SeaweedFS, and clients that use them."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lakeveil.adapters.filer_documents import FilerDocuments
from lakeveil.adapters.store_keys import FOLDER, SeaweedStoreKeys
from lakeveil.core.store_rights import StoreAction, StoreRight
from lakeveil.ports.store_keys import StoreCredential
from tests.stack_fixture import Weed

READ, LIST, WRITE = StoreAction.READ, StoreAction.LIST, StoreAction.WRITE
REFUSALS = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "Forbidden"}
PART = b"x" * (5 << 20)
KINDS = ("key", "session")

Use = Callable[[Any], Any]


def adapter(weed: Weed, patience_s: float = 15.0) -> SeaweedStoreKeys:
    return SeaweedStoreKeys(
        weed.home,
        ports=weed.ports,
        credentials=weed.credentials,
        environ=os.environ,
        now=time.time,
        patience_s=patience_s,
    )


def documents_of(weed: Weed) -> FilerDocuments:
    return FilerDocuments(
        weed.home,
        FOLDER,
        ports=weed.ports,
        tokens=weed.credentials.store_tokens,
        environ=os.environ,
        now=time.time,
        timeout_s=15.0,
    )


def right(bucket: str, prefix: str, *actions: StoreAction) -> StoreRight:
    return StoreRight(bucket=bucket, prefix=prefix, actions=frozenset(actions or StoreAction))


def new_key() -> StoreCredential:
    return StoreCredential(
        access_key_id=f"LVIA{uuid.uuid4().hex[:16].upper()}", secret_access_key=uuid.uuid4().hex
    )


def issue(
    keys: SeaweedStoreKeys, kind: str, *held: StoreRight, lasts_s: float | None = None
) -> StoreCredential:
    """A key or session that may do this."""
    end = None if lasts_s is None else time.time() + lasts_s
    if kind == "key":
        key = new_key()
    else:
        end = end or time.time() + 3600
        key = keys.mint_session("alice", held, expires_at=end)
    keys.allow(key, held, expires_at=end)
    return key


def client(weed: Weed, key: StoreCredential, service: str = "s3", **config: Any) -> Any:
    s3 = {"s3": {"addressing_style": "path"}} if service == "s3" else {}
    return boto3.client(
        service,
        endpoint_url=weed.endpoint,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        aws_session_token=key.session_token,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}, proxies={}, **s3, **config),
    )


def refused(use: Use, s3: Any) -> bool:
    try:
        answer = use(s3)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in REFUSALS | {"InvalidRequest"}, code
        return True
    # Deleting many answers 200, and says for each why not.
    errors = answer.get("Errors", []) if isinstance(answer, dict) else []
    return bool(errors) and all(error["Code"] == "AccessDenied" for error in errors)


def multipart(s3: Any, bucket: str, key: str) -> int:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=PART)
    s3.list_parts(Bucket=bucket, Key=key, UploadId=upload)
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    size: int = s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
    return size


def read(s3: Any, b: str, k: str) -> Any:
    """Read an object."""
    return s3.get_object(Bucket=b, Key=k)
