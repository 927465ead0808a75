"""What a key of ours may do at the store and what not, asked of the store itself.

Every test runs twice, with a long-lived key and with a session: the store checks them in two
different ways.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, build_opener

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Signer
from botocore.exceptions import ClientError

from lakeveil.adapters.store_keys import SeaweedStoreKeys
from lakeveil.core.store_rights import StoreAction
from lakeveil.ports.store_keys import StoreCredential
from tests.adapters.store_keys_bench import (
    KINDS,
    LIST,
    PART,
    READ,
    WRITE,
    Use,
    adapter,
    client,
    issue,
    multipart,
    read,
    refused,
    right,
)
from tests.stack_fixture import Weed


@pytest.fixture(scope="module")
def keys(weed: Weed) -> SeaweedStoreKeys:
    return adapter(weed)


@dataclass(frozen=True)
class Unit:
    """BU-A's key, in a bucket where others have objects, too."""

    weed: Weed
    bucket: str
    other: str
    key: StoreCredential
    s3: Any

    def raw(self, method: str, path: str, query: list[tuple[str, str]]) -> tuple[int, bytes]:
        """A signed request as no SDK would send it."""
        asked = f"{path}?{urlencode(query, quote_via=quote)}"
        request = AWSRequest(method, f"{self.weed.endpoint}{asked}", data=b"")
        signer = Signer(self.key.access_key_id, self.key.secret_access_key, self.key.session_token)
        S3SigV4Auth(signer, "s3", "us-east-1").add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", self.weed.ports.s3, timeout=20)
        connection.request(method, asked, headers=dict(request.headers))
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, body


@pytest.fixture(scope="module", params=KINDS)
def unit(request: pytest.FixtureRequest, weed: Weed, keys: SeaweedStoreKeys) -> Iterator[Unit]:
    bucket, other = weed.new_bucket("results"), weed.new_bucket("other")
    for name in ("bu-a/own.csv", "bu-ab/x.csv", "bu-b/x.csv", "bu-a", "top.csv"):
        weed.s3().put_object(Bucket=bucket, Key=name, Body=b"rows")
    key = issue(keys, request.param, right(bucket, "bu-a/"))
    yield Unit(weed, bucket, other, key, client(weed, key))
    keys.withdraw(key.access_key_id)


# --- what is open ----------------------------------------------------------------------------


def test_a_unit_reads_writes_lists_and_uploads_in_parts_below_its_prefix(unit: Unit) -> None:
    s3, bucket = unit.s3, unit.bucket
    s3.put_object(Bucket=bucket, Key="bu-a/dt=2026-01-01/a b+ü%.csv", Body=b"new")
    read = s3.get_object(Bucket=bucket, Key="bu-a/dt=2026-01-01/a b+ü%.csv")["Body"].read()
    assert read == b"new"
    for prefix in ("bu-a/", "bu-a/dt="):
        found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
        assert all(one["Key"].startswith(prefix) for one in found)
        s3.list_objects(Bucket=bucket, Prefix=prefix)
    assert multipart(s3, bucket, "bu-a/big.parquet") == len(PART)
    source = {"Bucket": bucket, "Key": "bu-a/own.csv"}
    s3.copy_object(Bucket=bucket, Key="bu-a/copy.csv", CopySource=source)
    gone = [{"Key": "bu-a/copy.csv"}, {"Key": "bu-a/big.parquet"}]
    assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": gone})
    s3.delete_object(Bucket=bucket, Key="bu-a/dt=2026-01-01/a b+ü%.csv")


def test_a_presigned_link_opens_the_own_prefix_only(unit: Unit) -> None:
    s3 = client(unit.weed, unit.key, signature_version="s3v4")
    opener = build_opener(ProxyHandler({}))

    def link(name: str) -> str:
        url: str = s3.generate_presigned_url(
            "get_object", Params={"Bucket": unit.bucket, "Key": name}
        )
        return url

    assert opener.open(link("bu-a/own.csv")).read() == b"rows"
    with pytest.raises(OSError, match="403"):
        opener.open(link("bu-b/x.csv"))


# --- what is shut ----------------------------------------------------------------------------

ELSEWHERE = ("bu-b/x.csv", "bu-ab/x.csv", "top.csv", "bu-a")
ON_OBJECTS: dict[str, Callable[[Any, str, str], Any]] = {
    "read": lambda s3, b, k: s3.get_object(Bucket=b, Key=k),
    "head": lambda s3, b, k: s3.head_object(Bucket=b, Key=k),
    "write": lambda s3, b, k: s3.put_object(Bucket=b, Key=k, Body=b"x"),
    "delete": lambda s3, b, k: s3.delete_object(Bucket=b, Key=k),
    "parts": lambda s3, b, k: s3.create_multipart_upload(Bucket=b, Key=k),
    "list": lambda s3, b, k: s3.list_objects_v2(Bucket=b, Prefix=k[:4]),
    "acl": lambda s3, b, k: s3.put_object_acl(Bucket=b, Key=k, ACL="public-read"),
    "tags": lambda s3, b, k: s3.put_object_tagging(Bucket=b, Key=k, Tagging={"TagSet": []}),
}


@pytest.mark.parametrize("use", ON_OBJECTS)
@pytest.mark.parametrize("name", ELSEWHERE)
def test_objects_elsewhere_are_refused(unit: Unit, use: str, name: str) -> None:
    assert refused(lambda s3: ON_OBJECTS[use](s3, unit.bucket, name), unit.s3)


def test_deleting_many_elsewhere_is_refused_one_by_one(unit: Unit) -> None:
    doomed = {"Objects": [{"Key": "bu-b/x.csv"}, {"Key": "bu-ab/x.csv"}]}
    assert refused(lambda s3: s3.delete_objects(Bucket=unit.bucket, Delete=doomed), unit.s3)
    assert unit.weed.s3().head_object(Bucket=unit.bucket, Key="bu-b/x.csv")


def test_nothing_is_copied_from_or_to_elsewhere(unit: Unit) -> None:
    bucket = unit.bucket
    for source, target in (("bu-b/x.csv", "bu-a/loot.csv"), ("bu-a/own.csv", "bu-b/x.csv")):

        def copy(s3: Any, source: str = source, target: str = target) -> Any:
            origin = {"Bucket": bucket, "Key": source}
            return s3.copy_object(Bucket=bucket, Key=target, CopySource=origin)

        assert refused(copy, unit.s3)
    upload = unit.s3.create_multipart_upload(Bucket=bucket, Key="bu-a/loot")["UploadId"]
    assert refused(
        lambda s3: s3.upload_part_copy(
            Bucket=bucket,
            Key="bu-a/loot",
            UploadId=upload,
            PartNumber=1,
            CopySource={"Bucket": bucket, "Key": "bu-b/x.csv"},
        ),
        unit.s3,
    )


def test_an_upload_of_others_cannot_be_joined_under_the_own_prefix(unit: Unit) -> None:
    theirs = unit.weed.s3().create_multipart_upload(Bucket=unit.bucket, Key="bu-b/big")["UploadId"]
    asked = {"Bucket": unit.bucket, "Key": "bu-a/big", "UploadId": theirs}
    uses: list[Callable[[], Any]] = [
        lambda: unit.s3.upload_part(**asked, PartNumber=1, Body=b"evil"),
        lambda: unit.s3.abort_multipart_upload(**asked),
        lambda: unit.s3.list_parts(**asked),
    ]
    for use in uses:
        with pytest.raises(ClientError, match="NoSuchUpload"):
            use()


ON_BUCKETS: dict[str, Callable[..., Any]] = {
    "list without a prefix": lambda s3, b: s3.list_objects_v2(Bucket=b),
    "list by the prefix without its slash": lambda s3, b: s3.list_objects_v2(
        Bucket=b, Prefix="bu-a"
    ),
    "list uploads": lambda s3, b: s3.list_multipart_uploads(Bucket=b),
    "list versions": lambda s3, b: s3.list_object_versions(Bucket=b),
    "make a bucket": lambda s3, b: s3.create_bucket(Bucket=f"{b}-2"),
    "make it again": lambda s3, b: s3.create_bucket(Bucket=b),
    "drop": lambda s3, b: s3.delete_bucket(Bucket=b),
    "policy": lambda s3, b: s3.put_bucket_policy(Bucket=b, Policy="{}"),
    "read policy": lambda s3, b: s3.get_bucket_policy(Bucket=b),
    "drop policy": lambda s3, b: s3.delete_bucket_policy(Bucket=b),
    "acl": lambda s3, b: s3.put_bucket_acl(Bucket=b, ACL="public-read"),
    "read acl": lambda s3, b: s3.get_bucket_acl(Bucket=b),
    "versioning": lambda s3, b: s3.put_bucket_versioning(
        Bucket=b, VersioningConfiguration={"Status": "Suspended"}
    ),
    "lifecycle": lambda s3, b: s3.put_bucket_lifecycle_configuration(
        Bucket=b,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "a",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "Expiration": {"Days": 1},
                }
            ]
        },
    ),
    "cors": lambda s3, b: s3.put_bucket_cors(
        Bucket=b,
        CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
    ),
    "owner": lambda s3, b: s3.put_bucket_ownership_controls(
        Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    ),
    "tags": lambda s3, b: s3.put_bucket_tagging(Bucket=b, Tagging={"TagSet": []}),
}


@pytest.mark.parametrize("use", ON_BUCKETS)
def test_what_is_done_to_buckets_is_refused(unit: Unit, use: str) -> None:
    for bucket in (unit.bucket, unit.other):
        assert refused(partial(ON_BUCKETS[use], b=bucket), unit.s3)


def test_a_unit_sees_no_bucket_in_a_listing_of_them(unit: Unit) -> None:
    assert unit.s3.list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("method", "what"),
    [
        *(("DELETE", ""), ("PUT", ""), ("HEAD", ""), ("PUT", "policy"), ("DELETE", "policy")),
        *(("PUT", "lifecycle"), ("PUT", "acl"), ("GET", "acl"), ("GET", "policy"), ("PUT", "cors")),
        *(("PUT", "versioning"), ("PUT", "object-lock"), ("PUT", "publicAccessBlock")),
    ],
)
def test_naming_the_own_prefix_opens_nothing_of_the_bucket(
    unit: Unit, method: str, what: str
) -> None:
    # The store puts the prefix in the place of a missing object when it checks.
    query = [("prefix", "bu-a/"), *([(what, "")] if what else [])]
    assert unit.raw(method, f"/{unit.bucket}", query)[0] == HTTPStatus.FORBIDDEN


def test_a_second_prefix_in_the_query_lists_nothing_else(unit: Unit) -> None:
    asked = [("list-type", "2"), ("prefix", "bu-a/"), ("prefix", "bu-b/")]
    _, body = unit.raw("GET", f"/{unit.bucket}", asked)
    assert b"bu-b/x.csv" not in body
    status, body = unit.raw("GET", f"/{unit.bucket}", [asked[0], asked[2], asked[1]])
    assert (status, b"bu-b/x.csv" in body) == (HTTPStatus.FORBIDDEN, False)
    status, _ = unit.raw("GET", f"/{unit.bucket}/bu-b/x.csv", [asked[1]])
    assert status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    "path", ["bu-a/../bu-b/x.csv", "bu-a/%2e%2e/bu-b/x.csv", "bu-a/%2e%2e%2fbu-b/x.csv", "/bu-b/x"]
)
def test_a_path_that_leads_elsewhere_is_refused(unit: Unit, path: str) -> None:
    status, body = unit.raw("GET", f"/{unit.bucket}/{path}", [("x-id", "GetObject")])
    assert status in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}
    assert b"rows" not in body


def test_a_public_acl_on_the_own_object_opens_it_to_nobody(unit: Unit) -> None:
    unit.s3.put_object(Bucket=unit.bucket, Key="bu-a/pub", Body=b"x", ACL="public-read")
    path = f"{unit.weed.endpoint}/{unit.bucket}/bu-a/pub"
    with pytest.raises(OSError, match="403"):
        build_opener(ProxyHandler({})).open(path)
    for identity in ("reader", "service", "uploader"):
        read: Use = lambda s3: s3.get_object(Bucket=unit.bucket, Key="bu-a/pub")  # noqa: E731
        assert refused(read, unit.weed.s3(identity))


def test_the_store_makes_no_keys_and_no_sessions_for_anybody(unit: Unit) -> None:
    admin = unit.weed.credentials.s3["admin"]
    role = "arn:aws:iam::000000000000:role/any"
    for key in (
        unit.key,
        StoreCredential(
            access_key_id=admin.access_key_id, secret_access_key=admin.secret_access_key
        ),
    ):
        iam, sts = client(unit.weed, key, "iam"), client(unit.weed, key, "sts")
        for use in (
            iam.list_users,
            iam.list_access_keys,
            iam.create_access_key,
            lambda iam=iam: iam.create_user(UserName="eve"),
            sts.get_session_token,
            lambda sts=sts: sts.get_federation_token(Name="eve"),
            lambda sts=sts: sts.assume_role(RoleArn=role, RoleSessionName="eve"),
            lambda sts=sts: sts.assume_role_with_web_identity(
                RoleArn=role, RoleSessionName="eve", WebIdentityToken="a.b.c"
            ),
        ):
            with pytest.raises(ClientError):
                use()


@pytest.mark.parametrize("kind", KINDS)
def test_each_action_opens_itself_only(weed: Weed, keys: SeaweedStoreKeys, kind: str) -> None:
    bucket = weed.new_bucket("actions")
    weed.s3().put_object(Bucket=bucket, Key="in/a", Body=b"rows")
    uses: dict[StoreAction, Use] = {
        READ: lambda s3: s3.get_object(Bucket=bucket, Key="in/a"),
        LIST: lambda s3: s3.list_objects_v2(Bucket=bucket, Prefix="in/"),
        WRITE: lambda s3: s3.put_object(Bucket=bucket, Key="in/b", Body=b"x"),
    }
    for action in StoreAction:
        key = issue(keys, kind, right(bucket, "in/", action))
        s3 = client(weed, key)
        assert {a for a, use in uses.items() if not refused(use, s3)} == {action}
        keys.withdraw(key.access_key_id)


@pytest.mark.parametrize("kind", KINDS)
def test_rights_in_two_buckets_stay_apart_and_none_opens_nothing(
    weed: Weed, keys: SeaweedStoreKeys, kind: str
) -> None:
    here, there = weed.new_bucket("here"), weed.new_bucket("there")
    for bucket in (here, there):
        for name in ("out/a", "data/a"):
            weed.s3().put_object(Bucket=bucket, Key=name, Body=b"rows")
    key = issue(keys, kind, right(here, "out/"), right(there, "data/", READ))
    s3 = client(weed, key)
    opened = {
        (bucket, name)
        for bucket in (here, there)
        for name in ("out/a", "data/a")
        if not refused(partial(read, b=bucket, k=name), s3)
    }
    assert opened == {(here, "out/a"), (there, "data/a")}
    keys.allow(key, [], expires_at=time.time() + 3600)
    assert refused(lambda s3: s3.get_object(Bucket=here, Key="out/a"), s3)
    keys.withdraw(key.access_key_id)
