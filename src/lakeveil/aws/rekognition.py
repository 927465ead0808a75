"""Amazon Rekognition's `DetectFaces`, answered by our own detectors.

What is sent and answered is the service's own (API reference, "DetectFaces", and the developer
guide's "Error handling"), with three differences that are on purpose and documented in
docs/how-to/use-the-rekognition-api.md: attributes that judge a person (age, gender, emotions and
the like) are never guessed, every face is reported instead of the 100 largest, and every photo
format that Lakeveil reads is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from lakeveil.aws.protocol import AwsError, Service, internal_error, load_model
from lakeveil.aws.sigv4 import Caller
from lakeveil.core.photos import ObjectRef
from lakeveil.errors import BadPhoto, NotFound, Refused
from lakeveil.pixels.examination import Examination

Look = Callable[[bytes], Examination]
"""Finds the faces in a file. Raises `BadPhoto` where the file is at fault."""

COMPUTED = ("BoundingBox", "Confidence", "Landmarks", "Pose", "Quality")
"""What `DEFAULT` asks for, and all that is computed here."""

_TOO_LARGE = frozenset(
    {
        "file_too_large",
        "too_many_pixels",
        "too_many_total_pixels",
        "too_many_scans",
        "metadata_bomb",
        "out_of_memory",
        "timeout",
    }
)
_INVALID = "Request has invalid parameters"
_UNREADABLE = (
    "Unable to get object metadata from S3. Check object key, region and/or access permissions."
)
# Base64 takes four characters for three bytes; the rest of the request is a few hundred.
_ENVELOPE_BYTES = 16 * 1024

log = structlog.get_logger(component="rekognition")


class Read(Protocol):
    """Reads an object with the caller's own key."""

    def __call__(self, access_key: str, ref: ObjectRef, *, limit_bytes: int) -> bytes:
        """Raises `NotFound` or `Refused` where that key cannot read it."""
        ...


def rekognition(
    *,
    look: Look,
    read: Read,
    max_bytes: int = 5 * 2**20,
    max_object_bytes: int = 15 * 2**20,
    threads: int = 4,
    waiting: int = 12,
) -> Service:
    """The service as far as it is served here: `DetectFaces`.

    `max_bytes` limits `Image.Bytes`, `max_object_bytes` an object that is named; at most `threads`
    photos are looked at once, and `waiting` more calls may be on their way.
    """

    def detect_faces(caller: Caller, params: Mapping[str, Any]) -> Mapping[str, Any]:
        _check_attributes(params.get("Attributes", []))
        data = _image(caller, params["Image"], read, max_bytes, max_object_bytes)
        try:
            found = look(data)
        except BadPhoto as bad:
            log.info("photo refused", reason=bad.code, why=bad.why)
            raise _refusal(bad) from bad
        if len(found.face_details) != 1:
            raise AwsError(
                "InvalidImageFormatException",
                "Request has invalid image format: it holds several pictures.",
            )
        # `OrientationCorrection` is always null in the service: boxes are on the upright photo.
        return {
            "FaceDetails": [
                {name: face[name] for name in COMPUTED if face.get(name) is not None}
                for face in sorted(found.face_details[0], key=_area, reverse=True)
            ]
        }

    return Service(
        model=load_model("rekognition"),
        operations={"DetectFaces": detect_faces},
        reads=frozenset({"DetectFaces"}),
        max_body_bytes=4 * (max_bytes // 3 + 1) + _ENVELOPE_BYTES,
        invalid_input_code="InvalidParameterException",
        too_large_code="ImageTooLargeException",
        errors_have_reference=True,
        threads=threads,
        waiting=waiting,
    )


def _image(
    caller: Caller,
    image: Mapping[str, Any],
    read: Read,
    max_bytes: int,
    max_object_bytes: int,
) -> bytes:
    match image.get("Bytes"), image.get("S3Object"):
        case bytes() as data, None:
            if len(data) > max_bytes:
                raise AwsError(
                    "ImageTooLargeException", f"The image has more than {max_bytes} bytes."
                )
            return data
        case None, {"Bucket": bucket, "Name": key}:
            pass
        case _:
            raise AwsError(
                "InvalidParameterException",
                f"{_INVALID}: give either Bytes, or an S3Object with Bucket and Name.",
            )
    ref = ObjectRef(str(bucket), str(key), image["S3Object"].get("Version"))
    try:
        return read(caller.access_key, ref, limit_bytes=max_object_bytes)
    except (NotFound, Refused) as error:
        # One answer for both: whether it exists is nothing for those who may not read it.
        log.info("object not readable", bucket=ref.bucket, key=ref.key, reason=error.code)
        raise AwsError("InvalidS3ObjectException", _UNREADABLE) from error
    except BadPhoto as error:
        raise AwsError(
            "ImageTooLargeException", f"The object has more than {max_object_bytes} bytes."
        ) from error


def _check_attributes(names: Sequence[str]) -> None:
    unserved = sorted(set(names) - {"ALL", "DEFAULT"})
    if unserved:
        # `ALL` takes what there is; who names one of these relies on it and must be told.
        raise AwsError(
            "InvalidParameterException",
            f"{_INVALID}: the attributes {', '.join(unserved)} are not computed here.",
        )


def _refusal(bad: BadPhoto) -> AwsError:
    if bad.code == "crashed":
        # Over this photo, but who can say that it is the photo's fault?
        return internal_error()
    if bad.code in _TOO_LARGE:
        return AwsError("ImageTooLargeException", f"The image is too large: {bad.what}.")
    return AwsError("InvalidImageFormatException", f"Request has invalid image format: {bad.what}.")


def _area(face: Mapping[str, Any]) -> float:
    box = face["BoundingBox"]
    return float(box["Width"] * box["Height"])
