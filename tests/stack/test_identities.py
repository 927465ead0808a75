"""Each key of the embedded store may do what its holder needs, and nothing else.

            source bucket           released bucket             buckets of the lake
uploader    write, delete, list     nothing                     nothing
reader      nothing                 read, list                  nothing
service     read, list              read, write, delete, list   read, write, delete, list
admin       everything              everything                  everything
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeveil.adapters.aws_profiles import write_aws_config, write_profiles
from tests.stack_fixture import Weed

SOURCE, RELEASE, KEY = "photos", "photos-released", "identities/a b+ü.jpg"
LAKE, RESULTS = "lake", "lake-results"
BUCKETS = (SOURCE, RELEASE, LAKE, RESULTS)

Use = Callable[[Any, str], Any]
USES: dict[str, Use] = {
    "read": lambda s3, bucket: s3.get_object(Bucket=bucket, Key=KEY),
    "list": lambda s3, bucket: s3.list_objects_v2(Bucket=bucket),
    "write": lambda s3, bucket: s3.put_object(Bucket=bucket, Key="identities/new", Body=b"x"),
    "multipart": lambda s3, bucket: s3.abort_multipart_upload(
        Bucket=bucket,
        Key="identities/parts",
        UploadId=s3.create_multipart_upload(Bucket=bucket, Key="identities/parts")["UploadId"],
    ),
    "delete": lambda s3, bucket: s3.delete_object(Bucket=bucket, Key="identities/new"),
    "copy here": lambda s3, bucket: s3.copy_object(
        Bucket=bucket, Key="identities/copy", CopySource={"Bucket": SOURCE, "Key": KEY}
    ),
    "policy": lambda s3, bucket: s3.put_bucket_policy(Bucket=bucket, Policy=OPEN_TO_ALL % bucket),
    "bucket acl": lambda s3, bucket: s3.put_bucket_acl(Bucket=bucket, ACL="public-read"),
    "object acl": lambda s3, bucket: s3.put_object_acl(Bucket=bucket, Key=KEY, ACL="public-read"),
    "drop bucket": lambda s3, bucket: s3.delete_bucket(Bucket=bucket),
}
OPEN_TO_ALL = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",'
    ' "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%s/*"}]}'
)
READS, WRITES = {"read", "list"}, {"write", "multipart", "delete"}
MAY = {
    ("uploader", SOURCE): WRITES | {"list"},
    ("uploader", RELEASE): set(),
    ("reader", SOURCE): set(),
    ("reader", RELEASE): READS,
    ("service", SOURCE): READS,
    ("service", RELEASE): READS | WRITES | {"copy here"},
    **{("service", bucket): READS | WRITES | {"copy here"} for bucket in (LAKE, RESULTS)},
    **{(who, bucket): set() for who in ("uploader", "reader") for bucket in (LAKE, RESULTS)},
}


@pytest.fixture(scope="module", autouse=True)
def objects(weed: Weed) -> Iterator[None]:
    """One object in each bucket."""
    for bucket in BUCKETS:
        weed.s3().put_object(Bucket=bucket, Key=KEY, Body=b"photo")
    yield
    for bucket in BUCKETS:
        assert weed.s3().get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"photo"


@pytest.mark.parametrize(("identity", "bucket"), MAY)
def test_a_key_may_do_what_its_holder_needs_and_nothing_else(
    weed: Weed, identity: str, bucket: str
) -> None:
    s3 = weed.s3(identity)
    allowed = {name for name, use in USES.items() if not _refused(use, s3, bucket)}
    assert allowed == MAY[identity, bucket]


def test_a_wrong_secret_and_an_unknown_key_are_refused(weed: Weed) -> None:
    import boto3

    known = weed.credentials.s3["admin"].access_key_id
    for access_key in (known, "LVNOBODY"):
        s3 = boto3.client(
            "s3",
            endpoint_url=weed.endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key="wrong",
            region_name="us-east-1",
        )
        assert _refused(USES["list"], s3, SOURCE)


def test_a_mistyped_bucket_is_an_error(weed: Weed) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        weed.s3().put_object(Bucket="phtoos", Key="a.jpg", Body=b"x")
    assert "phtoos" not in {bucket["Name"] for bucket in weed.s3().list_buckets()["Buckets"]}


def test_a_bucket_with_photos_in_it_does_not_go(weed: Weed) -> None:
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        weed.s3().delete_bucket(Bucket=SOURCE)


def test_an_aws_client_needs_nothing_but_the_env_file(weed: Weed, tmp_path: Path) -> None:
    write_profiles(weed.home, weed.credentials.s3)
    env_file = write_aws_config(
        weed.home, endpoint=weed.endpoint, doors="http://127.0.0.1:1", region="us-east-1"
    )
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"photo")
    script = f"""
set -e
. {env_file}
aws s3 cp --quiet {photo} s3://{SOURCE}/by-cli/photo.jpg
aws s3 cp --quiet --profile reader "s3://{RELEASE}/{KEY}" {tmp_path}/released.jpg
! aws s3 cp --profile reader s3://{SOURCE}/by-cli/photo.jpg {tmp_path}/original.jpg
"""
    scripts = sysconfig.get_path("scripts")
    done = subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "AWS_ACCESS_KEY_ID": "other"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "released.jpg").read_bytes() == b"photo"
    assert not (tmp_path / "original.jpg").exists()


def _refused(use: Use, s3: Any, bucket: str) -> bool:
    try:
        use(s3, bucket)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in {"AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "403"}, code
        return True
    return False
