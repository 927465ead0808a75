"""`Image.S3Object` against a real store: the caller's own key decides what is read."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeveil.adapters.caller_keys import CallerKeys
from tests.doors.running import FACE, Door, doors, photo, serving
from tests.stack_fixture import Weed

UNREADABLE = (
    "Unable to get object metadata from S3. Check object key, region and/or access permissions."
)


@pytest.fixture(scope="module")
def callers(weed: Weed) -> CallerKeys:
    return CallerKeys(weed.credentials, endpoint=weed.endpoint, region="us-east-1", timeout_s=20.0)


@pytest.fixture(scope="module")
def store_door(weed: Weed, callers: CallerKeys) -> Iterator[Door]:
    secrets = {key.access_key_id: key.secret_access_key for key in weed.credentials.s3.values()}
    with serving(doors(read=callers.read, secrets=secrets)) as running:
        yield running


def client(door: Door, weed: Weed, identity: str) -> Any:
    key = weed.credentials.s3[identity]
    return door.boto3(key.access_key_id, key.secret_access_key)


def put(weed: Weed, bucket: str, data: bytes, name: str = "") -> str:
    """Store an object; returns its key."""
    name = name or f"door/{uuid.uuid4().hex}.jpg"
    weed.s3().put_object(Bucket=bucket, Key=name, Body=data)
    return name


def refusal(door: Door, weed: Weed, identity: str, **image: str) -> dict[str, Any]:
    with pytest.raises(ClientError) as refused:
        client(door, weed, identity).detect_faces(Image={"S3Object": image})
    response = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    error: dict[str, Any] = response["Error"]
    return error


@pytest.mark.parametrize("name", ["", "a b+c%2F.jpg", "a//b.jpg", "Ünï/写真.jpg", "q?x=1&y#z"])
def test_an_object_is_looked_at_when_the_callers_key_may_read_it(
    store_door: Door, weed: Weed, name: str
) -> None:
    key = put(weed, "photos-released", photo(), name)

    answer = client(store_door, weed, "reader").detect_faces(
        Image={"S3Object": {"Bucket": "photos-released", "Name": key}}
    )
    assert answer["FaceDetails"] == [FACE]


def test_a_key_that_may_read_releases_only_cannot_have_originals_looked_at(
    store_door: Door, weed: Weed
) -> None:
    key = put(weed, "photos", photo())

    assert client(store_door, weed, "admin").detect_faces(
        Image={"S3Object": {"Bucket": "photos", "Name": key}}
    )["FaceDetails"]
    error = refusal(store_door, weed, "reader", Bucket="photos", Name=key)
    assert (error["Code"], error["Message"]) == ("InvalidS3ObjectException", UNREADABLE)


def test_forbidden_and_absent_cannot_be_told_apart(store_door: Door, weed: Weed) -> None:
    there = put(weed, "photos", photo())
    forbidden = refusal(store_door, weed, "reader", Bucket="photos", Name=there)
    absent = refusal(store_door, weed, "reader", Bucket="photos", Name="door/not-there.jpg")
    no_bucket = refusal(store_door, weed, "reader", Bucket="no-such-bucket", Name=there)
    mine_absent = refusal(
        store_door, weed, "reader", Bucket="photos-released", Name="door/not-there.jpg"
    )

    assert forbidden == absent == no_bucket == mine_absent
    assert forbidden["Code"] == "InvalidS3ObjectException"


def test_a_key_that_may_only_write_cannot_read_what_it_wrote(store_door: Door, weed: Weed) -> None:
    key = f"door/{uuid.uuid4().hex}.jpg"
    weed.s3("uploader").put_object(Bucket="photos", Key=key, Body=photo())

    error = refusal(store_door, weed, "uploader", Bucket="photos", Name=key)
    assert error["Code"] == "InvalidS3ObjectException"


def test_a_version_is_exactly_that_version(store_door: Door, weed: Weed) -> None:
    bucket = weed.new_bucket("versioned")
    admin = weed.s3()
    admin.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = admin.put_object(Bucket=bucket, Key="a.jpg", Body=photo())["VersionId"]
    broken = admin.put_object(Bucket=bucket, Key="a.jpg", Body=b"no photo")["VersionId"]
    rekognition = client(store_door, weed, "admin")

    assert rekognition.detect_faces(
        Image={"S3Object": {"Bucket": bucket, "Name": "a.jpg", "Version": first}}
    )["FaceDetails"]
    for version in ({"Version": broken}, {}):
        error = refusal(store_door, weed, "admin", Bucket=bucket, Name="a.jpg", **version)
        assert error["Code"] == "InvalidImageFormatException"


@pytest.mark.parametrize("version", ["no-such-version", "00000000000000000000000000000000", "null"])
def test_a_version_that_is_not_there_is_absent(store_door: Door, weed: Weed, version: str) -> None:
    bucket = weed.new_bucket("versioned")
    weed.s3().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    weed.s3().put_object(Bucket=bucket, Key="a.jpg", Body=photo())

    error = refusal(store_door, weed, "admin", Bucket=bucket, Name="a.jpg", Version=version)
    assert (error["Code"], error["Message"]) == ("InvalidS3ObjectException", UNREADABLE)


def test_a_deleted_object_is_absent(store_door: Door, weed: Weed) -> None:
    bucket = weed.new_bucket("versioned")
    weed.s3().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    weed.s3().put_object(Bucket=bucket, Key="a.jpg", Body=photo())
    marker = weed.s3().delete_object(Bucket=bucket, Key="a.jpg")["VersionId"]

    assert refusal(store_door, weed, "admin", Bucket=bucket, Name="a.jpg")["Message"] == UNREADABLE
    error = refusal(store_door, weed, "admin", Bucket=bucket, Name="a.jpg", Version=marker)
    assert error["Code"] == "InvalidS3ObjectException"


def test_an_object_may_be_larger_than_bytes_but_not_than_its_own_limit(
    store_door: Door, weed: Weed
) -> None:
    larger = put(weed, "photos-released", b"x" * (6 * 2**20))
    too_large = put(weed, "photos-released", b"x" * (15 * 2**20 + 1))

    assert (
        refusal(store_door, weed, "reader", Bucket="photos-released", Name=larger)["Code"]
        == "InvalidImageFormatException"
    )
    assert (
        refusal(store_door, weed, "reader", Bucket="photos-released", Name=too_large)["Code"]
        == "ImageTooLargeException"
    )


@pytest.mark.parametrize(
    "way", ["../photos/{}", "x/../../photos/{}", "..//photos/{}", "./../photos/{}"]
)
def test_no_path_leads_out_of_the_bucket_that_was_named(
    store_door: Door, weed: Weed, way: str
) -> None:
    key = put(weed, "photos", photo())

    error = refusal(store_door, weed, "reader", Bucket="photos-released", Name=way.format(key))
    assert (error["Code"], error["Message"]) == ("InvalidS3ObjectException", UNREADABLE)


def test_a_folder_is_no_object(store_door: Door, weed: Weed) -> None:
    put(weed, "photos-released", photo(), "door/folder/inside.jpg")

    error = refusal(store_door, weed, "reader", Bucket="photos-released", Name="door/folder")
    assert error["Code"] == "InvalidS3ObjectException"


def test_a_store_that_is_away_is_an_error_of_ours(weed: Weed) -> None:
    away = CallerKeys(
        weed.credentials, endpoint="http://127.0.0.1:9", region="us-east-1", timeout_s=1.0
    )
    secrets = {key.access_key_id: key.secret_access_key for key in weed.credentials.s3.values()}
    with (
        serving(doors(read=away.read, secrets=secrets)) as door,
        pytest.raises(ClientError) as refused,
    ):
        client(door, weed, "reader").detect_faces(
            Image={"S3Object": {"Bucket": "photos-released", "Name": "a.jpg"}}
        )

    assert refused.value.response["Error"]["Code"] == "InternalServerError"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_secrets_are_known_for_our_own_keys_only(weed: Weed, callers: CallerKeys) -> None:
    for key in weed.credentials.s3.values():
        assert callers.secret_of(key.access_key_id) == key.secret_access_key
    for stranger in ("", "AKIASOMEBODY", weed.credentials.s3["admin"].access_key_id.lower()):
        assert callers.secret_of(stranger) is None
