"""What a redaction hides, and what it leaves exactly as it was."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import lakeveil
from lakeveil.core.faces import Detections, Face, Landmarks
from lakeveil.core.geometry import Box
from lakeveil.core.photos import Instructions, RedactionPolicy, Shape, Style
from lakeveil.pixels.hiding.redact import covers, hidden, hide_under, redact, still_visible
from lakeveil.pixels.hiding.veil import Veils

Pixels = NDArray[np.uint8]

policies = st.builds(
    RedactionPolicy,
    style=st.sampled_from(Style),
    shape=st.sampled_from(Shape),
    margin=st.sampled_from([0.0, 0.2, 0.5]),
    tint=st.booleans(),
    blocks=st.integers(1, 8),
)


def face(box: Box) -> Face:
    return Face(box=box, confidence=0.9, network="yunet")


def looked(photo: Pixels, *boxes: Box) -> Detections:
    return Detections(
        width=photo.shape[1],
        height=photo.shape[0],
        faces=tuple(face(b) for b in boxes),
        detector="test",
        fingerprint="0" * 64,
    )


def noise(seed: int, height: int, width: int, channels: int) -> Pixels:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, channels), np.uint8)


@st.composite
def photos_with_faces(draw: st.DrawFn) -> tuple[Pixels, tuple[Box, ...]]:
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    photo = noise(draw(st.integers(0, 2**32)), height, width, draw(st.sampled_from([1, 2, 3, 4])))
    corner = st.tuples(st.integers(-10, width), st.integers(-10, height))
    size = st.tuples(st.integers(1, 60), st.integers(1, 60))
    places = draw(st.lists(st.tuples(corner, size), min_size=1, max_size=4))
    return photo, tuple(Box(x, y, x + w, y + h) for (x, y), (w, h) in places)


def covered(photo: Pixels, detections: Detections, policy: RedactionPolicy) -> NDArray[np.bool_]:
    frame = Box(0, 0, photo.shape[1], photo.shape[0])
    inside = np.zeros(photo.shape[:2], np.bool_)
    for cover in covers(detections, policy, Instructions()):
        inside |= cover.mask.covered(frame)
    return inside


def scrambled(
    photo: Pixels, boxes: tuple[Box, ...], inside: NDArray[np.bool_], seed: int, *, tint: bool
) -> Pixels:
    """Other pixels under the masks; with `tint`, each face's mean keeps its four bits a channel."""
    rng = np.random.default_rng(seed)
    other = photo.copy()
    other[inside] = rng.integers(0, 256, (int(inside.sum()), photo.shape[2]), np.uint8)
    if not tint:
        return other
    faces = [b for box in boxes if (b := box.clipped(photo.shape[1], photo.shape[0]))]
    alone = [not any(b.intersection(o) for o in faces if o is not b) for b in faces]
    for box, is_alone in zip(faces, alone, strict=True):
        area = np.s_[box.top : box.bottom, box.left : box.right]
        if is_alone:
            mean = photo[area].sum(axis=(0, 1), dtype=np.int64) // box.area
            low = (mean // 16 * 16).astype(np.int64)
            other[area] = rng.integers(low, low + 16, (box.height, box.width, len(low)))
    # Where faces overlap, pixels only change places with others that lie in the same faces.
    shared = np.zeros(photo.shape[:2], np.int64)
    for i, (box, is_alone) in enumerate(zip(faces, alone, strict=True)):
        if not is_alone:
            shared[box.top : box.bottom, box.left : box.right] += 1 << i
    for atom in np.unique(shared[shared > 0]):
        rows, columns = np.nonzero(shared == atom)
        order = rng.permutation(len(rows))
        other[rows, columns] = photo[rows[order], columns[order]]
    return other


@given(photos_with_faces(), st.sampled_from(Shape), st.sampled_from([0.0, 0.2]), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_a_veil_holds_nothing_of_a_face_but_twelve_bits(
    drawn: tuple[Pixels, tuple[Box, ...]], shape: Shape, margin: float, seed: int
) -> None:
    photo, boxes = drawn
    policy = RedactionPolicy(shape=shape, margin=margin)
    detections = looked(photo, *boxes)
    other = scrambled(photo, boxes, covered(photo, detections, policy), seed, tint=True)
    one = redact(photo, detections, policy, Instructions())
    same = redact(other, detections, policy, Instructions())
    assert one.pixels.tobytes() == same.pixels.tobytes()


@given(
    photos_with_faces(),
    st.sampled_from([RedactionPolicy(tint=False), RedactionPolicy(style=Style.FILL)]),
    st.integers(0, 99),
)
@settings(max_examples=100, deadline=None)
def test_an_untinted_veil_and_a_fill_hold_nothing_at_all(
    drawn: tuple[Pixels, tuple[Box, ...]], policy: RedactionPolicy, seed: int
) -> None:
    photo, boxes = drawn
    detections = looked(photo, *boxes)
    other = scrambled(photo, boxes, covered(photo, detections, policy), seed, tint=False)
    one = redact(photo, detections, policy, Instructions())
    same = redact(other, detections, policy, Instructions())
    assert one.pixels.tobytes() == same.pixels.tobytes()


@given(photos_with_faces(), policies)
@settings(deadline=None)
def test_pixels_outside_the_masks_are_exactly_unchanged(
    drawn: tuple[Pixels, tuple[Box, ...]], policy: RedactionPolicy
) -> None:
    photo, boxes = drawn
    before = photo.copy()
    detections = looked(photo, *boxes)
    frame = redact(photo, detections, policy, Instructions())
    outside = ~covered(photo, detections, policy)
    assert (frame.pixels[outside] == before[outside]).all()
    assert (photo == before).all(), "the given photo is left as it is"
    assert frame.pixels.shape == photo.shape
    assert frame.pixels.dtype == np.uint8


@given(photos_with_faces(), policies)
@settings(deadline=None)
def test_the_same_photo_is_redacted_the_same_twice(
    drawn: tuple[Pixels, tuple[Box, ...]], policy: RedactionPolicy
) -> None:
    photo, boxes = drawn
    frames = [redact(photo.copy(), looked(photo, *boxes), policy, Instructions()) for _ in "12"]
    assert frames[0].pixels.tobytes() == frames[1].pixels.tobytes()


@pytest.mark.parametrize("style", Style)
def test_alpha_becomes_opaque_where_a_face_was_so_that_its_outline_is_gone(style: Style) -> None:
    photo = noise(3, 50, 50, 4)
    photo[:, :, 3] = 0
    box = Box(20, 20, 30, 30)
    frame = redact(photo, looked(photo, box), RedactionPolicy(style=style), Instructions())
    assert (frame.pixels[20:30, 20:30, 3] == 255).all()
    assert (frame.pixels[0, :, 3] == 0).all()
    assert (frame.pixels[20:30, 20:30, :3] != photo[20:30, 20:30, :3]).any(axis=2).mean() > 0.95


def test_a_veil_takes_its_tint_from_the_face_and_its_edge_from_the_surroundings() -> None:
    photo = np.full((100, 100, 3), (20, 40, 60), np.uint8)
    photo[40:60, 40:60] = (200, 150, 100)
    frame = redact(photo, looked(photo, Box(40, 40, 60, 60)), RedactionPolicy(), Instructions())
    middle, untouched = frame.pixels[50, 50].astype(int), frame.pixels[5, 5]
    assert np.abs(middle - (200, 150, 100)).max() <= 40
    assert tuple(untouched) == (20, 40, 60)
    no_tint = RedactionPolicy(tint=False)
    frame = redact(photo, looked(photo, Box(40, 40, 60, 60)), no_tint, Instructions())
    assert (frame.pixels == (20, 40, 60)).all(), "an even wall closes over the face"


def test_a_neighbouring_face_never_bleeds_into_a_veil() -> None:
    photo = np.full((60, 120, 3), 90, np.uint8)
    boxes = Box(30, 20, 50, 40), Box(55, 20, 75, 40)
    photo[20:40, 55:75] = (255, 0, 0)
    policy = RedactionPolicy(tint=False)
    frame = redact(photo, looked(photo, *boxes), policy, Instructions())
    assert (frame.pixels == 90).all()


@pytest.mark.parametrize(("tint", "expected"), [(True, 200), (False, 128)])
def test_a_photo_that_is_all_face_becomes_grey_with_its_tint(tint: bool, expected: int) -> None:
    photo = np.full((40, 40, 3), 200, np.uint8)
    policy = RedactionPolicy(tint=tint, margin=0.0)
    frame = redact(photo, looked(photo, Box(0, 0, 40, 40)), policy, Instructions())
    assert abs(int(frame.pixels[20, 20, 0]) - expected) <= 16
    assert abs(int(frame.pixels[0, 0, 0]) - 128) <= 16


@pytest.mark.parametrize("style", [Style.BLUR, Style.PIXELATE])
def test_a_big_face_keeps_at_most_eight_blocks_across(style: Style) -> None:
    photo = noise(1, 400, 400, 3)
    policy = RedactionPolicy(style=style, shape=Shape.BOX, margin=0.0)
    frame = redact(photo, looked(photo, Box(0, 0, 400, 400)), policy, Instructions())
    if style is Style.PIXELATE:
        assert len(np.unique(frame.pixels.reshape(-1, 3), axis=0)) <= 64
        changes = (np.diff(frame.pixels[200].astype(int), axis=0) != 0).any(axis=1).sum()
        assert changes == 7
    else:
        row = frame.pixels[200, :, 0].astype(float)
        power = np.abs(np.fft.rfft(row - row.mean())) ** 2
        assert power[12:].sum() < 0.05 * power.sum(), "nothing finer than the blocks is left"


@pytest.mark.parametrize("style", [Style.BLUR, Style.PIXELATE])
def test_a_tiny_face_becomes_one_block(style: Style) -> None:
    photo = noise(2, 40, 40, 3)
    policy = RedactionPolicy(style=style, shape=Shape.BOX, margin=0.0)
    frame = redact(photo, looked(photo, Box(10, 10, 30, 30)), policy, Instructions())
    assert len(np.unique(frame.pixels[10:30, 10:30].reshape(-1, 3), axis=0)) == 1


def test_blur_adds_noise_to_an_even_surface() -> None:
    photo = np.full((200, 200, 3), 128, np.uint8)
    policy = RedactionPolicy(style=Style.BLUR, shape=Shape.BOX, margin=0.0)
    frame = redact(photo, looked(photo, Box(0, 0, 200, 200)), policy, Instructions())
    assert frame.pixels.std() > 2


def test_a_reviewers_box_is_hidden_and_a_kept_face_is_left_alone() -> None:
    photo = noise(5, 100, 100, 3)
    kept, found, missed = Box(5, 5, 25, 25), Box(60, 60, 80, 80), Box(60, 5, 80, 25)
    said = Instructions(hide=(missed,), keep=(Box(0, 0, 15, 50),))
    policy = RedactionPolicy(shape=Shape.BOX, margin=0.0, style=Style.FILL)
    frame = redact(photo, looked(photo, kept, found), policy, said)
    assert (frame.pixels[5:25, 5:25] == photo[5:25, 5:25]).all()
    assert (frame.pixels[60:80, 60:80] == 128).all()
    assert (frame.pixels[5:25, 60:80] == 128).all()
    assert frame.regions == (found, missed)


def test_a_face_is_kept_only_when_half_of_it_lies_in_one_keep_box() -> None:
    said = Instructions(keep=(Box(0, 0, 9, 20),))
    assert hidden([face(Box(0, 0, 20, 20))], said)
    assert not hidden([face(Box(0, 0, 18, 20))], said)


@pytest.mark.parametrize("style", Style)
def test_what_survived_is_hidden_further_out_by_what_is_not_made_of_it(style: Style) -> None:
    photo = noise(7, 120, 120, 3)
    policy = RedactionPolicy(shape=Shape.BOX, margin=0.1, style=style)
    place, grown = Box(50, 50, 70, 70), Box(45, 45, 75, 75)
    frame = redact(photo, looked(photo), policy, Instructions(), harder=(face(place),))
    assert frame.regions == (grown,)
    assert frame.detections.faces == ()
    other = photo.copy()
    other[45:75, 45:75] = noise(8, 30, 30, 3)
    same = redact(other, looked(photo), policy, Instructions(), harder=(face(place),))
    assert (frame.pixels == same.pixels).all()
    if style is Style.FILL:
        assert (frame.pixels[45:75, 45:75] == 128).all()


@pytest.mark.parametrize("style", [Style.BLUR, Style.PIXELATE])
def test_a_blur_under_which_a_face_was_found_becomes_a_veil_at_its_place(style: Style) -> None:
    photo = np.full((120, 120, 3), 60, np.uint8)
    photo[50:70, 50:70] = 250
    policy = RedactionPolicy(shape=Shape.BOX, margin=0.1, style=style, tint=False)
    survivor = face(Box(52, 52, 68, 68))
    found = looked(photo, Box(50, 50, 70, 70))
    frame = redact(photo, found, policy, Instructions(), harder=(survivor,))
    assert frame.regions == (Box(48, 48, 72, 72),)
    assert (frame.pixels == 60).all()


@pytest.mark.parametrize("style", Style)
def test_what_reaches_out_of_its_cover_is_hidden_further_out_too(style: Style) -> None:
    photo = noise(11, 120, 120, 3)
    policy = RedactionPolicy(shape=Shape.BOX, margin=0.0, style=style)
    found, survivor = looked(photo, Box(50, 50, 70, 70)), face(Box(50, 50, 70, 90))
    frame = redact(photo, found, policy, Instructions(), harder=(survivor,))
    assert frame.regions == (Box(50, 50, 70, 70), Box(45, 40, 75, 100))
    assert (frame.pixels[40:100, 45:75] != photo[40:100, 45:75]).any(axis=2).mean() > 0.95


def test_a_place_hidden_for_a_neighbouring_frame_adds_no_tint() -> None:
    photo = np.full((60, 60, 3), 30, np.uint8)
    photo[20:40, 20:40] = 250
    policy = RedactionPolicy(shape=Shape.BOX, margin=0.0)
    frame = redact(photo, looked(photo), policy, Instructions(), also=(Box(20, 20, 40, 40),))
    assert (frame.pixels == 30).all()


def test_nothing_found_and_nothing_said_leaves_every_pixel() -> None:
    photo = noise(9, 30, 30, 3)
    outside = Instructions(hide=(Box(100, 100, 120, 120),))
    frame = redact(photo, looked(photo, Box(-20, -20, -5, -5)), RedactionPolicy(), outside)
    assert frame.regions == ()
    assert (frame.pixels == photo).all()


COVERED = Box(40, 40, 60, 60)
MARKS = ("eye_left", "eye_right", "nose", "mouth_left", "mouth_right")


def marked(box: Box, *points: tuple[float, float]) -> Face:
    return replace(face(box), landmarks=Landmarks(**dict(zip(MARKS, points, strict=True))))


@pytest.mark.parametrize(
    ("found", "style", "shows"),
    [
        (face(Box(42, 42, 58, 58)), Style.VEIL, False),
        (face(Box(42, 42, 58, 58)), Style.FILL, False),
        (face(Box(42, 42, 58, 58)), Style.BLUR, True),
        (face(Box(42, 42, 58, 58)), Style.PIXELATE, True),
        (face(Box(42, 42, 62, 60)), Style.VEIL, False),
        (face(Box(50, 40, 75, 60)), Style.VEIL, True),
        (face(Box(70, 40, 90, 60)), Style.VEIL, True),
        # A head around the veil; and one whose mouth peeps out.
        (marked(Box(36, 36, 62, 62), *[(45.0 + i, 50.0) for i in range(5)]), Style.VEIL, False),
        (marked(Box(36, 36, 62, 62), *[(53.0 + 2 * i, 50.0) for i in range(5)]), Style.VEIL, True),
        (marked(Box(20, 20, 80, 80), *[(45.0 + i, 50.0) for i in range(5)]), Style.VEIL, True),
    ],
)
def test_what_still_shows_is_what_the_cover_does_not_hide(
    found: Face, style: Style, shows: bool
) -> None:
    policy = RedactionPolicy(style=style, shape=Shape.BOX, margin=0.0)
    every = covers(looked(noise(1, 100, 100, 3), COVERED), policy, Instructions())
    assert still_visible([found], every, Instructions()) == ((found,) if shows else ())
    assert not still_visible([found], every, Instructions(keep=(Box(0, 0, 100, 100),)))


def test_detections_of_another_frame_are_refused() -> None:
    with pytest.raises(ValueError, match="no look at a frame of 30 x 20"):
        redact(noise(0, 20, 30, 3), looked(noise(0, 30, 20, 3)), RedactionPolicy(), Instructions())


def test_redact_is_the_only_maker_of_a_redacted_frame() -> None:
    root = Path(lakeveil.__file__).parent
    makers = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) == "RedactedFrame"
    }
    assert makers == {"pixels/hiding/redact.py"}


@given(photos_with_faces(), st.integers(0, 3))
@settings(deadline=None)
def test_a_second_redaction_with_the_veils_of_the_first_is_what_it_would_be_without(
    drawn: tuple[Pixels, tuple[Box, ...]], first: int
) -> None:
    photo, boxes = drawn
    policy, veils = RedactionPolicy(), Veils()
    for some in (boxes[:first], boxes):
        detections = looked(photo, *some)
        every = covers(detections, policy, Instructions())
        with_veils = hide_under(every, photo, detections, policy, veils=veils)
        fresh = redact(photo, detections, policy, Instructions())
        np.testing.assert_array_equal(with_veils.pixels, fresh.pixels)
