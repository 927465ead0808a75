"""Refuse what may not go into the repository: addresses in lock files, paths, big files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_BYTES = 600_000
_ADDRESS = re.compile(r"://|--index|--find-links|\bfile:|^#", re.MULTILINE)
# A home directory or a checkout somewhere: no other machine has it (but for made-up users).
_PATH = re.compile(r"(?<![\w./-])/(?:home|Users|root|work)/(?!somebody\b)[\w.-]+")


def main() -> None:
    """Print every finding; exit 1 if there is one."""
    findings = [finding for path in _tracked() for finding in _look(path)]
    for finding in findings:
        print(finding)
    sys.exit(bool(findings))


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        check=False,
        cwd=ROOT,
        capture_output=True,
    )
    # In an unpacked archive there is no git, and nothing to refuse.
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else []
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def _look(path: Path) -> list[str]:
    name = path.relative_to(ROOT)
    data = path.read_bytes()
    found = []
    if len(data) > MAX_BYTES:
        found.append(f"{name}: {len(data):,} bytes; data comes from packages, not from git")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return found
    if name.suffix == ".txt" and "requirements" in str(name) and (hit := _ADDRESS.search(text)):
        found.append(f"{name}: `{hit.group()}`; a lock file does not say where packages come from")
    found += [f"{name}: the path `{hit.group()}` is of one machine" for hit in _PATH.finditer(text)]
    return found


if __name__ == "__main__":
    main()
