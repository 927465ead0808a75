"""What comes out of the encoders: the same format, every frame, nothing of what was hidden."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from lakeveil.core.faces import Detections, Face
from lakeveil.core.geometry import Box
from lakeveil.core.photos import Instructions, RedactionPolicy, Shape, Style
from lakeveil.pixels.files import jpeg_segments
from lakeveil.pixels.files.decode import Decoded, Frame, decode
from lakeveil.pixels.files.encode import Encoded, encode
from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.hiding.redact import redact
from lakeveil.pixels.rendition import RedactedFrame
from tests.pixels.good_files import FILES, TAKES_EXIF, picture, saved, turned, with_alpha
from tests.pixels.planted import CAMERA, PLANTED, SECRET, TAKES_CAMERA, thumbnail

LOSSLESS = [
    n
    for n in FILES
    if n.startswith(("png", "apng", "tiff", "gif", "webp lossless")) or n == "webp animated alpha"
]
FACE = Box(20, 8, 36, 24)


def opened(data: bytes) -> Decoded:
    return decode(data, inspect(data, Limits()))


def frames(data: bytes) -> list[Frame]:
    return list(opened(data).frames())


def looked(frame: Frame, *faces: Box) -> Detections:
    height, width = frame.pixels.shape[:2]
    return Detections(
        width=width,
        height=height,
        faces=tuple(Face(box=b, confidence=0.99, network="manual") for b in faces),
        detector="test/none",
        fingerprint="00",
    )


def redacted(decoded: Decoded, *faces: Box, style: Style = Style.FILL) -> Iterator[RedactedFrame]:
    policy = RedactionPolicy(style=style, shape=Shape.BOX, margin=0)
    for frame in decoded.frames():
        yield redact(frame.layers, looked(frame, *faces), policy, Instructions())


def released(data: bytes, *faces: Box, keep: tuple[str, ...] = ()) -> Encoded:
    decoded = opened(data)
    return encode(decoded, redacted(decoded, *faces), keep=keep)


def visible(frame: Frame) -> NDArray[np.uint8]:
    """The frame with the colours of fully transparent pixels left out."""
    if frame.alpha is None:
        return frame.layers
    return np.where(frame.alpha[:, :, None] > 0, frame.layers, 0)


@pytest.mark.parametrize("name", FILES)
def test_a_release_has_the_format_the_frames_and_the_size_of_its_original(name: str) -> None:
    data = FILES[name]()
    before = inspect(data, Limits())
    result = released(data, FACE)
    after = inspect(result.data, Limits())
    assert result.content_type == before.release_content_type
    assert (after.width, after.height, after.frames) == (before.width, before.height, before.frames)
    assert f"image/{after.format}" == result.content_type
    durations = [[f.duration_ms for f in frames(d)] for d in (data, result.data)]
    assert durations[0] == durations[1]


def test_a_heic_photo_becomes_a_jpeg() -> None:
    result = released(FILES["heic"](), FACE)
    assert result.content_type == "image/jpeg"
    assert result.data.startswith(b"\xff\xd8")


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_hold_exactly_the_redacted_pixels(name: str) -> None:
    data = FILES[name]()
    decoded = opened(data)
    expected = list(redacted(decoded, FACE))
    result = frames(encode(decoded, expected).data)
    for frame, wanted in zip(result, expected, strict=True):
        alpha = wanted.pixels[:, :, 3:]
        if frame.alpha is not None:
            assert np.array_equal(frame.alpha, alpha[:, :, 0])
        shown = np.where(alpha > 0, wanted.pixels[:, :, :3], 0) if alpha.size else wanted.pixels
        assert np.array_equal(visible(frame)[:, :, :3], shown)


@pytest.mark.parametrize("name", [n for n in FILES if n not in LOSSLESS])
def test_lossy_formats_hold_nearly_the_redacted_pixels(name: str) -> None:
    decoded = opened(FILES[name]())
    expected = list(redacted(decoded))
    for frame, wanted in zip(frames(encode(decoded, expected).data), expected, strict=True):
        difference = np.abs(frame.pixels.astype(int) - wanted.pixels[:, :, :3])
        if wanted.pixels.shape[2] == 4:
            difference *= wanted.pixels[:, :, 3:] > 0
        assert difference.mean() < 6


@pytest.mark.parametrize("kind", TAKES_EXIF)
@pytest.mark.parametrize("orientation", range(2, 9))
def test_pixels_are_written_upright_and_the_orientation_tag_is_gone(
    kind: str, orientation: int
) -> None:
    data = turned(kind, orientation)
    result = released(data).data
    header = inspect(result, Limits())
    assert header.orientation is None
    assert (header.width, header.height) == (
        inspect(data, Limits()).width,
        inspect(data, Limits()).height,
    )
    before, after = frames(data)[0].pixels.astype(int), frames(result)[0].pixels
    assert np.abs(before - after).mean() < 8


@pytest.mark.parametrize("quality", [35, 75, 92])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_jpeg_keeps_its_quantisation_and_its_subsampling(quality: int, subsampling: int) -> None:
    data = saved(picture(), "JPEG", quality=quality, subsampling=subsampling)
    result = released(data, FACE).data
    assert tables(result) == tables(data)
    assert sampling(result) == sampling(data)


def test_a_jpeg_turned_by_a_quarter_keeps_its_quantisation_turned_too() -> None:
    upright = released(turned("jpeg", 6)).data
    for one, other in zip(tables(upright), tables(turned("jpeg", 6)), strict=True):
        assert np.array_equal(np.reshape(one, (8, 8)).T, np.reshape(other, (8, 8)))


def test_a_progressive_jpeg_stays_progressive() -> None:
    data = FILES["jpeg progressive"]()
    assert jpeg_segments.read(released(data, FACE).data, max_scans=100).progressive
    assert not jpeg_segments.read(released(FILES["jpeg"]()).data, max_scans=1).progressive


def test_a_grey_photo_stays_grey() -> None:
    for name in ("jpeg grey", "png grey", "tiff fax"):
        (frame,) = frames(released(FILES[name](), FACE).data)
        assert (frame.pixels == frame.pixels[:, :, :1]).all(), name
    assert len(jpeg_segments.read(released(FILES["jpeg grey"]()).data, max_scans=1).components) == 1


def test_a_lossless_webp_stays_lossless_and_a_lossy_one_lossy() -> None:
    assert b"VP8L" in released(FILES["webp lossless"](), FACE).data
    assert b"VP8 " in released(FILES["webp"](), FACE).data


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "webp animated", "avif", "tiff"])
def test_the_colour_profile_is_kept(name: str) -> None:
    data = FILES[name]()
    assert opened(released(data, FACE).data).icc == opened(data).icc != b""


def test_loops_are_kept() -> None:
    for name, loop in (("apng", 2), ("webp animated alpha", 3), ("gif animated", 0)):
        import io

        from PIL import Image

        with Image.open(io.BytesIO(released(FILES[name](), FACE).data)) as image:
            assert image.info["loop"] == loop, name


@pytest.mark.parametrize("name", PLANTED)
def test_nothing_planted_in_the_metadata_survives_a_release(name: str) -> None:
    result = released(PLANTED[name](), FACE, keep=("camera", "dates", "exposure")).data
    assert SECRET not in result
    assert thumbnail() not in result
    assert (CAMERA in result) == (name.partition(" ")[0] in {*TAKES_CAMERA, "apng"})
    assert CAMERA not in released(PLANTED[name](), FACE).data


@pytest.mark.parametrize(
    "name", ["png alpha", "webp alpha", "avif alpha", "tiff alpha", "apng alpha", "png grey alpha"]
)
def test_pixels_under_transparency_are_redacted_as_well(name: str) -> None:
    data = FILES[name]()
    hole = Box(2, 8, 18, 22)
    decoded = opened(data)
    policy = RedactionPolicy(style=Style.FILL, shape=Shape.BOX, margin=0)
    made = [redact(f.layers, looked(f, hole), policy, Instructions()) for f in decoded.frames()]
    for frame in frames(encode(decoded, made).data):
        inside = frame.layers[hole.top + 2 : hole.bottom - 2, hole.left + 2 : hole.right - 2]
        # The fill is one colour, opaque: neither the colours nor the outline of the hole remain.
        assert inside[:, :, :3].astype(int).std(axis=(0, 1)).max() < 4
        assert inside.shape[2] == 3 or inside[:, :, 3].min() > 250


def test_a_gif_with_more_colours_than_it_can_hold_stays_exact_outside_the_redaction() -> None:
    data = FILES["gif"]()
    decoded = opened(data)
    expected = list(redacted(decoded, FACE, style=Style.VEIL))
    (result,) = frames(encode(decoded, expected).data)
    outside = np.ones(result.pixels.shape[:2], bool)
    reach = FACE.padded(0.25)
    outside[reach.top : reach.bottom, reach.left : reach.right] = False
    assert len(np.unique(expected[0].pixels.reshape(-1, 3), axis=0)) > 0
    assert np.array_equal(result.pixels[outside], frames(data)[0].pixels[outside])
    assert np.abs(result.pixels.astype(int) - expected[0].pixels).mean() < 8


def test_a_release_depends_on_the_redacted_pixels_alone() -> None:
    """Two originals that differ only where they are redacted become the same release."""
    for name in ("png", "webp lossless", "gif", "tiff lzw", "apng", "jpeg", "webp", "avif", "heic"):
        results = []
        for seed in (1, 2):
            noise = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)

            def scrambled(
                decoded: Decoded, noise: NDArray[np.uint8] = noise
            ) -> Iterator[RedactedFrame]:
                policy = RedactionPolicy(style=Style.FILL, shape=Shape.BOX, margin=0)
                for frame in decoded.frames():
                    pixels = frame.layers.copy()
                    pixels[FACE.top : FACE.bottom, FACE.left : FACE.right, :3] = noise
                    yield redact(pixels, looked(frame, FACE), policy, Instructions())

            decoded = opened(FILES[name]())
            results.append(encode(decoded, scrambled(decoded)).data)
        assert results[0] == results[1], name


def test_fewer_or_more_frames_than_the_file_has_are_never_written() -> None:
    for name in ("gif animated", "apng", "webp animated", "tiff pages", "avif sequence"):
        decoded = opened(FILES[name]())
        every = list(redacted(decoded))
        with pytest.raises(ValueError, match="frames were redacted"):
            encode(decoded, every[:-1])
        with pytest.raises(ValueError, match=r"frames|order"):
            encode(decoded, [*every, every[0]])


def test_a_hole_in_every_frame_of_an_animation_stays_where_it_is() -> None:
    for name in ("apng alpha", "webp animated alpha", "gif animated alpha"):
        result = frames(released(FILES[name]()).data)
        for seed, frame in enumerate(result):
            assert frame.alpha is not None, name
            assert np.array_equal(frame.alpha, np.asarray(with_alpha(seed))[:, :, 3]), name


def tables(data: bytes) -> list[list[int]]:
    import io

    from PIL import JpegImagePlugin

    with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as image:
        return [list(image.quantization[layer[3]]) for layer in image.layer]


def sampling(data: bytes) -> list[tuple[int, int]]:
    components = jpeg_segments.read(data, max_scans=100).components
    return [(c.horizontal, c.vertical) for c in components]
