"""DetectFaces as clients see it: answers, error codes, HTTP statuses."""

from __future__ import annotations

import base64
import json
from typing import Any

import botocore.exceptions
import httpx
import pytest

from lakeveil.errors import BadPhoto, DetectorFailed, Unavailable
from lakeveil.pixels.examination import Examination
from tests.doors.running import FACE, Door, doors, found, photo, serving

IMAGE = {"Image": {"Bytes": base64.b64encode(photo()).decode()}}


def test_boto3_gets_the_faces_of_the_bytes_it_sends(door: Door) -> None:
    answer = door.boto3().detect_faces(Image={"Bytes": photo()})

    assert answer["FaceDetails"] == [FACE]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert len(answer["ResponseMetadata"]["RequestId"]) == 36


def test_orientation_correction_is_absent_as_in_the_service(door: Door) -> None:
    assert set(door.call(IMAGE).json()) == {"FaceDetails"}


@pytest.mark.parametrize("attributes", [["DEFAULT"], ["ALL"], ["DEFAULT", "ALL"], []])
def test_default_and_all_answer_what_is_computed(door: Door, attributes: list[str]) -> None:
    answer = door.boto3().detect_faces(Image={"Bytes": photo()}, Attributes=attributes)

    assert answer["FaceDetails"] == [FACE]


def test_code_keeps_the_region_it_has(door: Door) -> None:
    for region in ("us-east-1", "ap-southeast-2"):
        assert door.boto3(region=region).detect_faces(Image={"Bytes": photo()})["FaceDetails"]


def test_the_largest_face_comes_first_and_none_is_left_out() -> None:
    small = {**FACE, "BoundingBox": {"Left": 0.0, "Top": 0.0, "Width": 0.01, "Height": 0.01}}
    with serving(doors(look=lambda _: found(*[small] * 150, FACE))) as door:
        faces = door.boto3().detect_faces(Image={"Bytes": photo()})["FaceDetails"]

    assert faces[0] == FACE
    assert len(faces) == 151


def test_no_face_is_an_empty_list() -> None:
    with serving(doors(look=lambda _: found())) as door:
        assert door.boto3().detect_faces(Image={"Bytes": photo()})["FaceDetails"] == []


def test_a_face_without_landmarks_has_no_pose() -> None:
    bare = {"BoundingBox": FACE["BoundingBox"], "Confidence": 80.0, "Pose": None, "Landmarks": None}
    with serving(doors(look=lambda _: found(bare))) as door:
        (face,) = door.boto3().detect_faces(Image={"Bytes": photo()})["FaceDetails"]

    assert set(face) == {"BoundingBox", "Confidence"}


REFUSED: list[tuple[str, Any, str]] = [
    ("no photo", {"Image": {"Bytes": "AAAA"}}, "InvalidImageFormatException"),
    (
        "a photo cut short",
        {"Image": {"Bytes": base64.b64encode(photo()[:200]).decode()}},
        "InvalidImageFormatException",
    ),
    ("empty bytes", {"Image": {"Bytes": ""}}, "InvalidParameterException"),
    ("no base64", {"Image": {"Bytes": "%%%"}}, "InvalidParameterException"),
    ("no image", {}, "InvalidParameterException"),
    ("null image", {"Image": None}, "InvalidParameterException"),
    ("neither bytes nor object", {"Image": {}}, "InvalidParameterException"),
    (
        "both bytes and object",
        {"Image": {**IMAGE["Image"], "S3Object": {"Bucket": "photos", "Name": "a"}}},
        "InvalidParameterException",
    ),
    (
        "an object without a name",
        {"Image": {"S3Object": {"Bucket": "photos"}}},
        "InvalidParameterException",
    ),
    (
        "a bucket no bucket can be",
        {"Image": {"S3Object": {"Bucket": "a/../b", "Name": "a"}}},
        "InvalidParameterException",
    ),
    (
        "an object that is not there",
        {"Image": {"S3Object": {"Bucket": "photos", "Name": "a"}}},
        "InvalidS3ObjectException",
    ),
    ("an attribute nobody knows", {**IMAGE, "Attributes": ["HAIR"]}, "InvalidParameterException"),
    ("an attribute not computed", {**IMAGE, "Attributes": ["GENDER"]}, "InvalidParameterException"),
    ("attributes of another type", {**IMAGE, "Attributes": "ALL"}, "InvalidParameterException"),
    ("an unknown member", {**IMAGE, "Attribute": ["ALL"]}, "InvalidParameterException"),
    ("a list for a request", [], "InvalidParameterException"),
    ("broken JSON", b'{"Image": ', "SerializationException"),
    ("nothing at all", b"", "SerializationException"),
    ("JSON too deep", b"[" * 100_000, "SerializationException"),
    ("no UTF-8", b'{"Image": "\xff"}', "SerializationException"),
]


@pytest.mark.parametrize(("body", "code"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_wrong_request_is_refused_with_the_services_own_code(
    door: Door, body: Any, code: str
) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = door.call(data)

    assert (answer.status_code, answer.json()["__type"]) == (400, code)
    assert answer.json()["Code"] == code
    assert answer.json()["Message"]
    assert answer.headers["x-amzn-errortype"] == code
    assert answer.headers["x-amzn-requestid"] == answer.json()["Logref"]
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"


@pytest.mark.parametrize(
    "target",
    [
        "RekognitionService.CompareFaces",
        "RekognitionService.NoSuchThing",
        "RekognitionService.",
        "DetectFaces",
        "Textract.DetectFaces",
        None,
    ],
)
def test_operations_not_served_are_unknown(door: Door, target: str | None) -> None:
    answer = door.call(IMAGE, target=target)

    assert (answer.status_code, answer.json()["__type"]) == (400, "UnknownOperationException")


def test_bytes_beyond_the_limit_are_too_large(door: Door) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        door.boto3().detect_faces(Image={"Bytes": bytes(5 * 2**20 + 1)})

    assert refused.value.response["Error"]["Code"] == "ImageTooLargeException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_body_far_beyond_the_limit_gets_the_same_answer_when_it_is_signed(door: Door) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        door.boto3().detect_faces(Image={"Bytes": bytes(12 * 2**20)})

    assert refused.value.response["Error"]["Code"] == "ImageTooLargeException"


def test_bytes_at_the_limit_are_looked_at() -> None:
    with serving(doors(look=lambda _: found())) as door:
        answer = door.boto3().detect_faces(Image={"Bytes": bytes(5 * 2**20)})

    assert answer["FaceDetails"] == []


def test_a_file_of_several_pictures_is_no_image_for_the_service() -> None:
    with serving(doors(look=lambda _: found(FACE, frames=2))) as door:
        answer = door.call(IMAGE)

    assert (answer.status_code, answer.json()["__type"]) == (400, "InvalidImageFormatException")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadPhoto("too big", code="too_many_pixels"), 400, "ImageTooLargeException"),
        (BadPhoto("too big", code="out_of_memory"), 400, "ImageTooLargeException"),
        (BadPhoto("damaged", code="malformed"), 400, "InvalidImageFormatException"),
        (BadPhoto("slow", code="timeout"), 400, "ImageTooLargeException"),
        (BadPhoto("the process crashed", code="crashed"), 500, "InternalServerError"),
        (DetectorFailed("the detector raised"), 500, "InternalServerError"),
        (Unavailable("no process could be started"), 500, "InternalServerError"),
        (RuntimeError("a fault with /secret/path in it"), 500, "InternalServerError"),
    ],
)
def test_a_photo_that_cannot_be_looked_at_is_never_a_photo_without_faces(
    error: Exception, status: int, code: str
) -> None:
    def fail(_data: bytes) -> Examination:
        raise error

    with serving(doors(look=fail)) as door:
        answer = door.call(IMAGE)

    assert (answer.status_code, answer.json()["__type"]) == (status, code)
    assert "secret" not in answer.text


def test_a_store_that_does_not_answer_is_our_fault_and_not_the_callers() -> None:
    def away(*_args: object, **_kwargs: object) -> bytes:
        raise Unavailable("the object store did not answer")

    with serving(doors(read=away)) as door:
        answer = door.call({"Image": {"S3Object": {"Bucket": "photos", "Name": "a"}}})

    assert (answer.status_code, answer.json()["__type"]) == (500, "InternalServerError")


def test_an_answer_that_does_not_fit_the_model_is_an_error() -> None:
    broken = {**FACE, "Confidence": float("nan")}
    with serving(doors(look=lambda _: found(broken))) as door:
        answer = door.call(IMAGE)

    assert (answer.status_code, answer.json()["__type"]) == (500, "InternalServerError")


def test_calls_are_counted_by_operation_and_code(door: Door) -> None:
    door.call(IMAGE)
    door.call({})
    page = httpx.get(f"{door.url}/metrics").text

    calls = 'lakeveil_http_requests_total{code="",door="aws",operation="DetectFaces"}'
    refused = (
        'lakeveil_http_requests_total{code="InvalidParameterException",door="aws",'
        'operation="DetectFaces"}'
    )
    assert calls in page
    assert refused in page
