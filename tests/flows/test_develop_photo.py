"""From bytes to a rendition: whatever a detector misses or does wrong, no face gets out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lakeveil.core.faces import Detections, Face
from lakeveil.core.geometry import Box
from lakeveil.core.photos import Instructions, RedactionPolicy, Shape, Style
from lakeveil.errors import BadPhoto, DetectorFailed
from lakeveil.flows.develop_photo import LEAST_AGAIN, LOOKS, develop
from lakeveil.pixels.files.limits import Limits
from lakeveil.pixels.rendition import Rendition
from lakeveil.ports import FaceDetector
from tests.planted_faces import (
    BACKGROUND,
    MagentaFaces,
    Pixels,
    face,
    file_of,
    frames_of,
    magenta_areas,
    picture,
)

PHOTOS = Path(__file__).parents[1] / "photos"
ONE, NEAR, FAR = Box(40, 40, 60, 60), Box(70, 44, 86, 60), Box(150, 150, 170, 170)


def developed(
    data: bytes,
    detector: FaceDetector | None = None,
    *,
    policy: RedactionPolicy | None = None,
    instructions: Instructions | None = None,
) -> Rendition:
    return develop(
        data,
        policy=policy or RedactionPolicy(tint=False),
        instructions=instructions or Instructions(),
        detector=detector or MagentaFaces(),
        limits=Limits(),
    )


class Forgets(MagentaFaces):
    """Does not see certain places at the first look (on certain frames)."""

    def __init__(self, *places: Box, on_looks: Sequence[int] = (0,)) -> None:
        super().__init__()
        self.places, self.on_looks = places, on_looks

    def detect(
        self, photo: Pixels, *, min_confidence: float | None, probe_orientation: bool = False
    ) -> Detections:
        look = len(self.probed)
        found = super().detect(
            photo, min_confidence=min_confidence, probe_orientation=probe_orientation
        )
        if look not in self.on_looks:
            return found
        kept = tuple(f for f in found.faces if not any(f.box.touches(p) for p in self.places))
        return Detections(
            width=found.width,
            height=found.height,
            faces=kept,
            detector=found.detector,
            fingerprint=found.fingerprint,
        )


class SeesGhosts(MagentaFaces):
    """Finds a face at one place at every look again, whatever is there."""

    def __init__(self, place: Box) -> None:
        super().__init__()
        self.place = place

    def look_again(
        self, photo: Pixels, regions: Sequence[Box], *, min_confidence: float | None
    ) -> tuple[Face, ...]:
        super().look_again(photo, regions, min_confidence=min_confidence)
        return (face(self.place),)


class Wanders(SeesGhosts):
    """Finds one more uncovered face at every look again."""

    def look_again(
        self, photo: Pixels, regions: Sequence[Box], *, min_confidence: float | None
    ) -> tuple[Face, ...]:
        super().look_again(photo, regions, min_confidence=min_confidence)
        step = 30 * len(self.looked_again)
        place = self.place
        return (face(Box(place.left, place.top + step, place.right, place.bottom + step)),)


class Breaks(MagentaFaces):
    """Raises at a look, or at a look again."""

    def __init__(self, error: BaseException, *, at: str) -> None:
        super().__init__()
        self.error, self.at = error, at

    def detect(
        self, photo: Pixels, *, min_confidence: float | None, probe_orientation: bool = False
    ) -> Detections:
        if self.at == "detect":
            raise self.error
        return super().detect(
            photo, min_confidence=min_confidence, probe_orientation=probe_orientation
        )

    def look_again(
        self, photo: Pixels, regions: Sequence[Box], *, min_confidence: float | None
    ) -> tuple[Face, ...]:
        super().look_again(photo, regions, min_confidence=min_confidence)
        raise self.error


class LooksElsewhere(MagentaFaces):
    """Reports on a scaled copy of what it was given."""

    def detect(
        self, photo: Pixels, *, min_confidence: float | None, probe_orientation: bool = False
    ) -> Detections:
        half = np.ascontiguousarray(photo[::2, ::2])
        return super().detect(
            half, min_confidence=min_confidence, probe_orientation=probe_orientation
        )


@pytest.mark.parametrize("style", Style)
def test_a_face_is_hidden_and_everything_else_stays(style: Style) -> None:
    photo = picture(200, 200, ONE, FAR)
    policy = RedactionPolicy(style=style, shape=Shape.BOX, tint=False)
    rendition = developed(file_of(photo), policy=policy)
    (released,) = frames_of(rendition.data)
    assert rendition.redacted
    assert rendition.face_count == 2
    assert (rendition.width, rendition.height, rendition.content_type) == (200, 200, "image/png")
    assert magenta_areas(released) == []
    outside = np.ones((200, 200), np.bool_)
    for box in (ONE.padded(1.0), FAR.padded(1.0)):
        outside[box.top : box.bottom, box.left : box.right] = False
    assert (released[outside] == photo[outside]).all()


def test_each_stage_is_timed() -> None:
    hidden = developed(file_of(picture(100, 100, ONE)))
    assert set(hidden.timings_ms) == {
        "inspect", "decode", "detect", "redact", "look_again", "encode",
    }  # fmt: skip
    unchanged = developed(file_of(picture(100, 100)))
    assert set(unchanged.timings_ms) == {"inspect", "decode", "detect", "clean"}
    assert all(ms >= 0 for ms in (*hidden.timings_ms.values(), *unchanged.timings_ms.values()))


def test_a_photo_without_a_face_keeps_its_pixels_and_loses_its_metadata() -> None:
    original = (PHOTOS / "thumbnail.jpg").read_bytes()
    rendition = developed(original)
    assert not rendition.redacted
    assert rendition.face_count == 0
    assert (frames_of(rendition.data)[0] == frames_of(original)[0]).all()
    assert b"Exif" in original
    assert len(rendition.data) < len(original)
    assert rendition.data.count(b"\xff\xd8\xff") == 1, "its thumbnail is gone"


def test_a_reviewers_box_is_hidden_where_no_face_was_found() -> None:
    rendition = developed(
        file_of(picture(200, 200, ONE)), Forgets(ONE), instructions=Instructions(hide=(ONE,))
    )
    assert rendition.redacted
    assert rendition.face_count == 0
    assert magenta_areas(frames_of(rendition.data)[0]) == []


def test_faces_to_keep_are_left_alone_on_every_look() -> None:
    photo = picture(200, 200, ONE, NEAR)
    said = Instructions(keep=(NEAR,))
    policy = RedactionPolicy(tint=False, shape=Shape.BOX)
    rendition = developed(file_of(photo), policy=policy, instructions=said)
    assert magenta_areas(frames_of(rendition.data)[0]) == [NEAR]
    everybody = Instructions(keep=(Box(0, 0, 200, 200),))
    rendition = developed(file_of(photo), instructions=everybody)
    assert not rendition.redacted
    assert (frames_of(rendition.data)[0] == photo).all()


def test_a_face_missed_at_first_is_found_when_looking_again_and_hidden() -> None:
    detector = Forgets(NEAR)
    rendition = developed(
        file_of(picture(200, 200, ONE, NEAR)),
        detector,
        policy=RedactionPolicy(tint=False, shape=Shape.BOX, margin=0.0),
    )
    assert magenta_areas(frames_of(rendition.data)[0]) == []
    assert [f.box for f in rendition.detections[0].faces] == [ONE, NEAR]
    assert detector.looked_again == [(ONE,), (NEAR,)], "only what is new is looked at again"


def test_a_face_of_which_only_half_was_found_is_hidden_whole() -> None:
    class FindsTheTop(MagentaFaces):
        def detect(
            self, photo: Pixels, *, min_confidence: float | None, probe_orientation: bool = False
        ) -> Detections:
            top = photo.copy()
            top[54:] = BACKGROUND
            return super().detect(
                top, min_confidence=min_confidence, probe_orientation=probe_orientation
            )

    policy = RedactionPolicy(tint=False, shape=Shape.BOX, margin=0.0)
    rendition = developed(file_of(picture(200, 200, ONE)), FindsTheTop(), policy=policy)
    assert magenta_areas(frames_of(rendition.data)[0]) == []


def test_a_veil_that_looks_like_a_face_is_not_taken_for_one() -> None:
    policy = RedactionPolicy(tint=True)
    detector = MagentaFaces()
    photo = picture(200, 200, ONE)
    rendition = developed(file_of(photo), detector, policy=policy)
    (released,) = frames_of(rendition.data)
    assert magenta_areas(released), "the tint of a magenta face is magenta"
    assert len(detector.looked_again) == 1
    assert (released[50, 50] != 128).any(), "no grey fill"


@pytest.mark.parametrize("style", [Style.BLUR, Style.PIXELATE])
def test_a_blurred_face_that_is_still_found_is_veiled(style: Style) -> None:
    detector = MagentaFaces()
    policy = RedactionPolicy(style=style, shape=Shape.BOX, margin=0.0, tint=False)
    rendition = developed(file_of(picture(200, 200, ONE)), detector, policy=policy)
    (released,) = frames_of(rendition.data)
    assert len(detector.looked_again) == 2
    assert (released == BACKGROUND).all()
    assert rendition.face_count == 1, "the face that was found again is the same face"


def test_a_photo_in_which_a_face_shows_at_every_look_is_quarantined() -> None:
    wandering = Wanders(Box(120, 10, 140, 30))
    with pytest.raises(BadPhoto) as caught:
        developed(file_of(picture(200, 300, ONE)), wandering)
    assert caught.value.code == "face_still_visible"
    assert len(wandering.looked_again) == LOOKS
    assert "120," in caught.value.why


def test_a_face_that_fills_the_photo_is_hidden_whole_in_the_end() -> None:
    ghost = SeesGhosts(Box(0, 0, 200, 200))
    policy = RedactionPolicy(style=Style.BLUR, shape=Shape.BOX, tint=False)
    instructions = Instructions(keep=(Box(190, 190, 200, 200),))
    rendition = developed(
        file_of(picture(200, 200, ONE)), ghost, policy=policy, instructions=instructions
    )
    assert (frames_of(rendition.data)[0] == 128).mean() > 0.9, "covered whole, and then content"


def test_a_reviewer_may_take_responsibility_for_what_looking_again_finds() -> None:
    approved = Instructions(approved=True)
    wandering = Wanders(Box(120, 10, 140, 30))
    rendition = developed(file_of(picture(200, 300, ONE)), wandering, instructions=approved)
    assert magenta_areas(frames_of(rendition.data)[0]) == []


@pytest.mark.parametrize("at", ["detect", "look_again"])
@pytest.mark.parametrize("error", [RuntimeError("no GPU"), ValueError(), OSError("gone")])
def test_a_detector_that_raises_did_not_look(error: Exception, at: str) -> None:
    with pytest.raises(DetectorFailed) as caught:
        developed(file_of(picture(100, 100, ONE)), Breaks(error, at=at))
    assert type(error).__name__ in caught.value.why


@pytest.mark.parametrize("at", ["detect", "look_again"])
def test_memory_that_runs_out_in_a_detector_is_no_fault_of_the_detector(at: str) -> None:
    with pytest.raises((MemoryError, BadPhoto)) as caught:
        developed(file_of(picture(100, 100, ONE)), Breaks(MemoryError(), at=at))
    assert getattr(caught.value, "code", "out_of_memory") == "out_of_memory"


def test_a_detector_that_looked_at_another_picture_did_not_look() -> None:
    with pytest.raises(DetectorFailed, match="another picture"):
        developed(file_of(picture(100, 100)), LooksElsewhere())


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_every_frame_of_an_animation_is_looked_at_and_redacted(format_: str) -> None:
    boxes = [Box(20 + 30 * i, 40, 40 + 30 * i, 60) for i in range(4)]
    frames = [picture(160, 100, box) for box in boxes]
    options = {"lossless": True} if format_ == "WEBP" else {}
    data = file_of(*frames, format=format_, duration=50, loop=0, **options)
    rendition = developed(data)
    assert len(rendition.detections) == 4
    released = frames_of(rendition.data)
    assert len(released) == 4
    assert [magenta_areas(f) for f in released] == [[]] * 4


def test_a_face_missed_on_two_frames_in_a_row_is_hidden_there_all_the_same() -> None:
    frames = [picture(120, 100, ONE) for _ in range(5)]
    for i, frame in enumerate(frames):
        frame[0, i] = 255
    data = file_of(*frames, duration=50)
    rendition = developed(data, Forgets(ONE, on_looks=(2, 3)))
    assert [len(d.faces) for d in rendition.detections] == [1, 1, 0, 0, 1]
    assert [magenta_areas(f) for f in frames_of(rendition.data)] == [[]] * 5


def test_pages_of_a_document_have_nothing_to_do_with_each_other() -> None:
    pages = [picture(120, 100, ONE), picture(120, 100), picture(120, 100, NEAR)]
    rendition = developed(file_of(*pages, format="TIFF"))
    released = frames_of(rendition.data)
    assert [magenta_areas(p) for p in released] == [[]] * 3
    assert (released[1] == pages[1]).all()


def test_a_face_drawn_in_transparency_alone_is_hidden() -> None:
    # White on white, as stored; a viewer that shows it on black sees the drawing. Here: magenta
    # everywhere, transparent but for the face.
    layers = np.dstack((picture(120, 100), np.full((100, 120), 255, np.uint8)))
    layers[ONE.top : ONE.bottom, ONE.left : ONE.right, :3] = (255, 0, 255)
    layers[ONE.top : ONE.bottom, ONE.left : ONE.right, 3] = 1
    rendition = developed(file_of(layers))
    assert rendition.redacted, "the stored colours are looked at too"
    assert magenta_areas(frames_of(rendition.data)[0]) == []


def test_quarter_turns_are_tried_whatever_a_file_says_of_its_orientation() -> None:
    untagged, tagged = MagentaFaces(), MagentaFaces()
    developed((PHOTOS / "portrait.jpg").read_bytes(), untagged)
    developed((PHOTOS / "rotated.jpg").read_bytes(), tagged)
    assert (untagged.probed, tagged.probed) == ([True], [True])
    unwanted = MagentaFaces()
    never = RedactionPolicy(probe_orientation=False)
    developed((PHOTOS / "portrait.jpg").read_bytes(), unwanted, policy=never)
    assert unwanted.probed == [False]


@pytest.mark.parametrize(("wanted", "again"), [(None, LEAST_AGAIN), (0.05, 0.05), (0.7, 0.7)])
def test_a_policys_confidence_counts_at_every_look(wanted: float | None, again: float) -> None:
    class Notes(MagentaFaces):
        def __init__(self) -> None:
            super().__init__()
            self.asked: list[float | None] = []

        def detect(
            self, photo: Pixels, *, min_confidence: float | None, probe_orientation: bool = False
        ) -> Detections:
            self.asked.append(min_confidence)
            return super().detect(
                photo, min_confidence=min_confidence, probe_orientation=probe_orientation
            )

        def look_again(
            self, photo: Pixels, regions: Sequence[Box], *, min_confidence: float | None
        ) -> tuple[Face, ...]:
            self.asked.append(min_confidence)
            return super().look_again(photo, regions, min_confidence=min_confidence)

    detector = Notes()
    policy = RedactionPolicy(tint=False, min_confidence=wanted)
    developed(file_of(picture(100, 100, ONE)), detector, policy=policy)
    assert detector.asked == [wanted, again]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"no photo at all, just words", "unknown_format"),
        (file_of(picture(100, 100, ONE))[:-200], "truncated"),
    ],
)
def test_a_bad_file_is_refused_before_any_look(data: bytes, code: str) -> None:
    detector = MagentaFaces()
    with pytest.raises(BadPhoto) as caught:
        developed(data, detector)
    assert caught.value.code == code
    assert detector.probed == []
