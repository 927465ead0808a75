"""A face in the shape of Amazon Rekognition's `FaceDetail`, computed from what the networks give.

Signs follow the service: Roll is positive when the face leans clockwise in the picture (the
viewer's right eye lower), Yaw when it turns to the viewer's right, Pitch when it looks up.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lakeveil.core.faces import Face, Landmarks, Point
from lakeveil.pixels.finding.scaling import Photo

_NOSE_DEPTH = 0.6
"""How far the tip of the nose stands out, in distances between the eyes."""
_NOSE_HEIGHT = 0.55
"""Where it lies between eyes (0) and mouth (1) on a face that looks straight ahead."""
_SIDE = 96
_SHARP = 0.1
_NOISE = 8.0
"""Levels: contrast that rounding and noise alone can make."""


def face_details(face: Face, photo: Photo) -> dict[str, Any]:
    """`BoundingBox`, `Confidence`, `Quality`, and `Landmarks` and `Pose` where they can be had.

    `BoundingBox` and landmarks are ratios of the photo's width and height, `Confidence` is the
    calibrated probability in percent. A face without plausible landmarks (see `plausible`) has
    neither `Landmarks` nor `Pose`: none are made up.

    Args:
        face: as a detector found it on this photo.
        photo: (height, width, 3) uint8 sRGB, upright.
    """
    height, width = photo.shape[:2]
    box = face.box
    details: dict[str, Any] = {
        "BoundingBox": {
            "Left": box.left / width,
            "Top": box.top / height,
            "Width": box.width / width,
            "Height": box.height / height,
        },
        "Confidence": 100 * face.confidence,
        "Quality": {"Brightness": brightness(face, photo), "Sharpness": sharpness(face, photo)},
    }
    if face.landmarks is not None and plausible(face):
        marks = face.landmarks
        named = {
            "eyeLeft": marks.eye_left,
            "eyeRight": marks.eye_right,
            "mouthLeft": marks.mouth_left,
            "mouthRight": marks.mouth_right,
            "nose": marks.nose,
        }
        details["Landmarks"] = [
            {"Type": name, "X": x / width, "Y": y / height} for name, (x, y) in named.items()
        ]
        details["Pose"] = pose(marks)
    return details


def plausible(face: Face) -> bool:
    """Whether the landmarks can be those of this face.

    They lie within the box and a quarter around it, the mouth below the eyes (seen along the
    face's own axis), and the eyes at least a tenth of the box apart.
    """
    marks = face.landmarks
    if marks is None:
        return False
    around = face.box.padded(0.25)
    points = (marks.eye_left, marks.eye_right, marks.nose, marks.mouth_left, marks.mouth_right)
    if not all(
        around.left <= x <= around.right and around.top <= y <= around.bottom for x, y in points
    ):
        return False
    across = math.dist(marks.eye_left, marks.eye_right)
    eyes, mouth = _upright(marks)[:2]
    return across >= face.box.width / 10 and mouth[1] - eyes[1] >= face.box.height / 10


def pose(marks: Landmarks) -> dict[str, float]:
    """`Roll`, `Yaw` and `Pitch` in degrees, from five points and the shape of an average head.

    Roll is the slope of the lines through the eyes and through the mouth, taken together. Turned
    upright, a nose that stands out by 0.6 eye distances moves sideways by that times the tangent
    of Yaw, and from its place between eyes and mouth by the tangent of Pitch. Roll is exact to
    a few degrees; the other two are estimates whose sign and order can be relied on.
    """
    eyes, mouth, nose = _upright(marks)
    # Yaw shortens the line between the eyes and Pitch that from eyes to mouth; the tangent is
    # right for both as the nose's way is measured in those very lengths.
    across = max(math.dist(marks.eye_left, marks.eye_right), 1e-6)
    down = max(mouth[1] - eyes[1], 1e-6)
    yaw = math.degrees(math.atan2(nose[0] - (eyes[0] + mouth[0]) / 2, across * _NOSE_DEPTH))
    height = (nose[1] - eyes[1]) / down
    pitch = math.degrees(math.atan2(_NOSE_HEIGHT - height, _NOSE_DEPTH))
    return {"Roll": roll(marks), "Yaw": yaw, "Pitch": pitch}


def brightness(face: Face, photo: Photo) -> float:
    """Mean luma (ITU-R BT.601) of the face's box: 0 is black, 100 is white."""
    return float(_luma(_crop(face, photo)).mean()) / 255 * 100


def sharpness(face: Face, photo: Photo) -> float:
    """How much fine detail the face shows for its contrast: 0 is blurred away, 100 is crisp.

    The face is scaled to 96 pixels (so a small face counts as less sharp, as it is). With r the
    deviation of its Laplacian over that of its luma plus 8, it is `100 * (1 - exp(-r / 0.1))`:
    blurring lowers it, and darkening does so only slightly.
    """
    crop = _crop(face, photo)
    scale = _SIDE / max(crop.shape[:2])
    size = (max(3, round(crop.shape[1] * scale)), max(3, round(crop.shape[0] * scale)))
    picture = Image.fromarray(crop).resize(size, Image.Resampling.BILINEAR)
    luma = _luma(np.asarray(picture))
    laplacian = (luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]) / 4 - luma[
        1:-1, 1:-1
    ]
    detail = float(laplacian.std()) / (float(luma.std()) + _NOISE)
    return 100 * (1 - math.exp(-detail / _SHARP))


def _crop(face: Face, photo: Photo) -> Photo:
    box = face.box
    return photo[box.top : box.bottom, box.left : box.right]


def _luma(photo: Photo) -> NDArray[np.float32]:
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    luma: NDArray[np.float32] = photo.astype(np.float32) @ weights
    return luma


def roll(marks: Landmarks) -> float:
    """Degrees by which the face leans clockwise: the eyes' line and the mouth's together."""
    dx = marks.eye_right[0] - marks.eye_left[0] + marks.mouth_right[0] - marks.mouth_left[0]
    dy = marks.eye_right[1] - marks.eye_left[1] + marks.mouth_right[1] - marks.mouth_left[1]
    return math.degrees(math.atan2(dy, dx))


def _upright(marks: Landmarks) -> tuple[Point, Point, Point]:
    """The middle of the eyes, that of the mouth, and the nose, turned back by Roll."""
    angle = math.radians(roll(marks))
    cos, sin = math.cos(angle), math.sin(angle)

    def turned(point: Point) -> Point:
        return (point[0] * cos + point[1] * sin, point[1] * cos - point[0] * sin)

    eyes = _middle(marks.eye_left, marks.eye_right)
    mouth = _middle(marks.mouth_left, marks.mouth_right)
    return turned(eyes), turned(mouth), turned(marks.nose)


def _middle(one: Point, other: Point) -> Point:
    return ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2)
