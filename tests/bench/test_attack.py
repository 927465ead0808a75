"""The attacker of `bench/attack.py` is a real one: he knows faces he sees, and guesses the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rank_1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    folder, rng = tmp_path_factory.mktemp("people"), np.random.default_rng(1)
    for person in range(12):
        (folder / f"person-{person}").mkdir()
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((96, 96))
        for picture in range(6):
            seen = np.asarray(coarse) * rng.uniform(0.8, 1.2) + rng.normal(0, 8, (96, 96, 3))
            image = Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8))
            image.save(folder / f"person-{person}" / f"{picture}.png")
    table = folder.parent / "rows.json"
    subprocess.run(
        [sys.executable, "-m", "bench.attack", "--identities", folder, "--json", table],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return {row["style"]: row["rank_1"] for row in json.loads(table.read_text())}


@pytest.mark.parametrize("style", ["nothing hidden", "blur, 8 blocks", "pixelate, 8 blocks"])
def test_he_recognises_people_behind_what_is_made_of_their_faces(
    rank_1: dict[str, float], style: str
) -> None:
    assert rank_1[style] > 0.8


@pytest.mark.parametrize("style", ["fill", "veil, no tint"])
def test_he_guesses_behind_what_is_not_made_of_their_faces(
    rank_1: dict[str, float], style: str
) -> None:
    assert rank_1[style] < 0.5
