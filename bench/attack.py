"""Which styles resist an attacker who obscures his own gallery?

An attacker has pictures of N people. He treats them with the very redaction that was used on a
release, and asks whose obscured picture is most like the one he sees there (McPherson, Shokri and
Shmatikov, "Defeating Image Obfuscation with Deep Learning", 2016). Reported is rank-1: how often
he is right, against the chance of 1/N, with a 95 % bootstrap interval over people.

He tries four classifiers on the redacted area and is credited with the best: nearest neighbour
on pixels, on brightness-normalised pixels, on principal components, and on linear discriminants
(PCA + LDA) trained on his own obscured gallery. None is a deep network: read a high figure as
"broken", a low one as "not broken by this".

    python -m bench.attack --identities DIR     DIR/PERSON/*.jpg|png|pgm, cropped faces
    python -m bench.attack --data DIR           an annotated set (see annotated_set.py)

Without several pictures of each person (`--data`), gallery and probe are the *same* picture of a
face under other light, framing, rotation, noise and JPEG compression: far easier for him than
life, so a low figure still means something and a high one is an upper bound. Faces are put on
unrelated backgrounds, different ones for gallery and probe, or the background would tell.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from bench.annotated_set import load_set
from lakeveil.core.faces import Detections, Face
from lakeveil.core.geometry import Box
from lakeveil.core.photos import Instructions, RedactionPolicy, Style
from lakeveil.pixels.hiding.redact import redact

Pixels = NDArray[np.uint8]
Vectors = NDArray[np.float64]

FACE, CANVAS = 128, 320
AT = Box((CANVAS - FACE) // 2, (CANVAS - FACE) // 2, (CANVAS + FACE) // 2, (CANVAS + FACE) // 2)
SEEN = 32
LEAST_FACE = 48
GALLERY, PROBES = 6, 2
COMPONENTS = 120
BOOTSTRAPS = 2000


@dataclass(frozen=True, slots=True)
class Person:
    """Face crops (FACE x FACE x 3) the attacker has, and those he sees redacted."""

    gallery: list[Pixels]
    probes: list[Pixels]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one way of hiding withstood. Shares are 0 to 1."""

    style: str
    rank_1: float
    low: float
    high: float
    chance: float
    attack: str


Hide = Callable[[Pixels], Pixels]
"""From a canvas with a face at `AT` to the same, obscured."""


def styles() -> dict[str, Hide]:
    """Ours, and what others do."""
    return {
        "nothing hidden": lambda canvas: canvas,
        "fill": _ours(RedactionPolicy(style=Style.FILL)),
        "veil": _ours(RedactionPolicy()),
        "veil, no tint": _ours(RedactionPolicy(tint=False)),
        "blur, 8 blocks": _ours(RedactionPolicy(style=Style.BLUR)),
        "blur, 4 blocks": _ours(RedactionPolicy(style=Style.BLUR, blocks=4)),
        "pixelate, 8 blocks": _ours(RedactionPolicy(style=Style.PIXELATE)),
        "pixelate, 4 blocks": _ours(RedactionPolicy(style=Style.PIXELATE, blocks=4)),
        "pixelate, 16 blocks (elsewhere)": _pixelated(16),
        "Gaussian, sigma = face / 8 (elsewhere)": _gaussian(FACE / 8),
        "Gaussian, sigma = face / 4 (elsewhere)": _gaussian(FACE / 4),
        "Gaussian, sigma = face / 2 (elsewhere)": _gaussian(FACE / 2),
    }


def measure(people: Sequence[Person], backgrounds: Sequence[Pixels], seed: int) -> list[Row]:
    """Attack every style; one row each."""
    rows = []
    for name, hide in styles().items():
        rng = np.random.default_rng(seed)
        gallery, whose = _seen([p.gallery for p in people], hide, backgrounds, rng)
        probes, truth = _seen([p.probes for p in people], hide, backgrounds, rng)
        rights = {
            attack: guess(gallery, whose, probes) == truth for attack, guess in ATTACKS.items()
        }
        best = max(rights, key=lambda attack: rights[attack].mean())
        per_person = np.array([rights[best][truth == i].mean() for i in range(len(people))])
        draws = rng.integers(0, len(people), (BOOTSTRAPS, len(people)))
        low, high = np.quantile(per_person[draws].mean(axis=1), [0.025, 0.975])
        rows.append(
            Row(
                style=name,
                rank_1=float(per_person.mean()),
                low=float(low),
                high=float(high),
                chance=1 / len(people),
                attack=best,
            )
        )
        print(_line(rows[-1]), flush=True)
    return rows


# --- attacks ---------------------------------------------------------------------------------


def nearest(gallery: Vectors, whose: Vectors, probes: Vectors) -> Vectors:
    """The person of the gallery vector at the smallest Euclidean distance."""
    squared = (probes**2).sum(1)[:, None] - 2 * probes @ gallery.T + (gallery**2).sum(1)[None]
    return np.asarray(whose[squared.argmin(axis=1)])


def nearest_normalised(gallery: Vectors, whose: Vectors, probes: Vectors) -> Vectors:
    """The same with brightness and contrast taken out: light says nothing then."""
    return nearest(_normalised(gallery), whose, _normalised(probes))


def by_components(gallery: Vectors, whose: Vectors, probes: Vectors) -> Vectors:
    """Nearest in whitened principal components ("eigenfaces")."""
    mean, axes = _principal(gallery)
    return nearest(_unit((gallery - mean) @ axes), whose, _unit((probes - mean) @ axes))


def by_discriminants(gallery: Vectors, whose: Vectors, probes: Vectors) -> Vectors:
    """Nearest class mean in linear discriminants ("Fisherfaces")."""
    mean, axes = _principal(gallery)
    low, seen = (gallery - mean) @ axes, (probes - mean) @ axes
    people = np.unique(whose)
    means = np.stack([low[whose == p].mean(axis=0) for p in people])
    within = np.cov((low - means[np.searchsorted(people, whose)]).T)
    # Shrunk, as there are fewer pictures than dimensions.
    within += 0.1 * np.trace(within) / len(within) * np.eye(len(within))
    whiten = np.linalg.inv(np.linalg.cholesky(within)).T
    return nearest(means @ whiten, people, seen @ whiten)


ATTACKS: dict[str, Callable[[Vectors, Vectors, Vectors], Vectors]] = {
    "pixels": nearest,
    "normalised pixels": nearest_normalised,
    "PCA": by_components,
    "PCA + LDA": by_discriminants,
}


def _principal(vectors: Vectors) -> tuple[Vectors, Vectors]:
    mean = vectors.mean(axis=0)
    _, singular, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    kept = min(COMPONENTS, int((singular > singular[0] * 1e-3).sum()) or 1)
    return mean, axes[:kept].T * (np.sqrt(len(vectors)) / np.maximum(singular[:kept], 1e-9))


def _normalised(vectors: Vectors) -> Vectors:
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    return _unit(centred)


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


# --- pictures --------------------------------------------------------------------------------


def _seen(
    pictures: Sequence[Sequence[Pixels]],
    hide: Hide,
    backgrounds: Sequence[Pixels],
    rng: np.random.Generator,
) -> tuple[Vectors, Vectors]:
    """What the attacker sees of each: the redacted area, and whose it is."""
    vectors, whose = [], []
    for person, faces in enumerate(pictures):
        for face in faces:
            canvas = backgrounds[int(rng.integers(len(backgrounds)))].copy()
            canvas[AT.top : AT.bottom, AT.left : AT.right] = face
            around = AT.padded(0.25)
            cut = hide(canvas)[around.top : around.bottom, around.left : around.right]
            small = Image.fromarray(cut).resize((SEEN, SEEN), Image.Resampling.BOX)
            vectors.append(np.asarray(small, np.float64).ravel() / 255)
            whose.append(person)
    return np.stack(vectors), np.array(whose)


def _ours(policy: RedactionPolicy) -> Hide:
    face = Face(box=AT, confidence=1.0, network="manual")
    found = Detections(
        width=CANVAS, height=CANVAS, faces=(face,), detector="bench", fingerprint="0" * 64
    )
    return lambda canvas: redact(canvas, found, policy, Instructions()).pixels


def _pixelated(blocks: int) -> Hide:
    def hide(canvas: Pixels) -> Pixels:
        area = AT.padded(0.2)
        cut = Image.fromarray(canvas[area.top : area.bottom, area.left : area.right])
        small = cut.resize((blocks, blocks), Image.Resampling.BOX)
        return _pasted(canvas, area, np.asarray(small.resize(cut.size, Image.Resampling.NEAREST)))

    return hide


def _gaussian(sigma: float) -> Hide:
    def hide(canvas: Pixels) -> Pixels:
        area = AT.padded(0.2)
        cut = Image.fromarray(canvas[area.top : area.bottom, area.left : area.right])
        return _pasted(canvas, area, np.asarray(cut.filter(ImageFilter.GaussianBlur(sigma))))

    return hide


def _pasted(canvas: Pixels, area: Box, pixels: Pixels) -> Pixels:
    result = canvas.copy()
    result[area.top : area.bottom, area.left : area.right] = pixels
    return result


def variant(picture: Image.Image, box: Box, rng: np.random.Generator) -> Pixels:
    """The face in `box` as another camera might have seen it a moment later."""
    side = max(box.width, box.height)
    centre = np.array([box.left + box.width / 2, box.top + box.height / 2])
    centre += rng.normal(0, 0.03, 2) * side
    half = side / 2 * rng.uniform(0.94, 1.06)
    angle = float(rng.normal(0, 3))
    corners = (centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)
    turned = picture.rotate(angle, Image.Resampling.BICUBIC, center=(centre[0], centre[1]))
    cut = turned.resize((FACE, FACE), Image.Resampling.BICUBIC, box=_within(corners, picture.size))
    light = np.asarray(cut, np.float64) / 255
    light = light ** rng.uniform(0.75, 1.33) * rng.uniform(0.8, 1.2) * rng.uniform(0.93, 1.07, 3)
    noisy = light * 255 + rng.normal(0, 4, light.shape)
    packed = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(
        packed, "JPEG", quality=int(rng.integers(40, 92))
    )
    return np.asarray(Image.open(packed))


def _within(
    corners: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    return (
        max(0.0, corners[0]),
        max(0.0, corners[1]),
        min(float(size[0]), corners[2]),
        min(float(size[1]), corners[3]),
    )


def people_of_photos(data: Path, seed: int) -> tuple[list[Person], list[Pixels]]:
    """Each annotated face from `LEAST_FACE` pixels is a person; variants of it are the pictures."""
    truths = load_set(data)
    if truths is None:
        raise SystemExit(f"there is no annotated set in {data}")
    rng = np.random.default_rng(seed)
    people, backgrounds = [], []
    for truth in truths:
        with Image.open(truth.path) as opened:
            picture = opened.convert("RGB")
        backgrounds.append(_background(picture, rng))
        for left, top, right, bottom in truth.boxes.round().astype(int):
            if min(right - left, bottom - top) < LEAST_FACE:
                continue
            box = Box(int(left), int(top), int(right), int(bottom)).clipped(*picture.size)
            if box is not None:
                many = [variant(picture, box, rng) for _ in range(GALLERY + PROBES)]
                people.append(Person(many[:GALLERY], many[GALLERY:]))
    return people, backgrounds


def people_of_folders(folder: Path, seed: int) -> tuple[list[Person], list[Pixels]]:
    """A folder per person; the later half of the pictures are seen redacted."""
    rng = np.random.default_rng(seed)
    people = []
    for person in sorted(p for p in folder.iterdir() if p.is_dir()):
        crops = []
        for path in sorted(p for p in person.iterdir() if p.is_file()):
            with Image.open(path) as opened:
                crops.append(np.asarray(opened.convert("RGB").resize((FACE, FACE))))
        if len(crops) > 1:
            half = (len(crops) + 1) // 2
            people.append(Person(crops[:half], crops[half:]))
    backgrounds = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((CANVAS,) * 2))
        for _ in range(100)
    ]
    return people, backgrounds


def _background(picture: Image.Image, rng: np.random.Generator) -> Pixels:
    side = min(picture.size) // 2
    left = int(rng.integers(0, picture.width - side + 1))
    top = int(rng.integers(0, picture.height - side + 1))
    cut = picture.crop((left, top, left + side, top + side)).resize((CANVAS, CANVAS))
    return np.asarray(cut)


def _line(row: Row) -> str:
    return (
        f"| {row.style} | {row.rank_1:.1%} [{row.low:.1%}, {row.high:.1%}] "
        f"| {row.rank_1 / row.chance:.1f} x | {row.attack} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--identities", type=Path, help="a folder of cropped faces per person")
    parser.add_argument("--data", type=Path, help="an annotated set, for the substitute")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the rows here too")
    asked = parser.parse_args()
    if asked.identities:
        people, backgrounds = people_of_folders(asked.identities, asked.seed)
        kind = "different pictures of each person"
    elif asked.data:
        people, backgrounds = people_of_photos(asked.data, asked.seed)
        kind = "variants of one picture of each person"
    else:
        parser.error("give --identities or --data")
    if len(people) < 2:
        raise SystemExit("there are fewer than two people to tell apart")
    probes = sum(len(p.probes) for p in people)
    print(f"{len(people)} people, {probes} probes, {kind}; chance is {1 / len(people):.2%}\n")
    print("| hidden by | rank-1 [95 %] | above chance | best attack |\n|---|---|---|---|")
    rows = measure(people, backgrounds, asked.seed)
    if asked.json:
        table = [{f: getattr(r, f) for f in Row.__slots__} for r in rows]
        asked.json.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
