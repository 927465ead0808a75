"""The engine with one rule taken out: the same questions, answered by a copy that is broken.

`python -m tests.hostile.engine_mutants` runs in the copy; what it asks comes by standard input.
`whole` is the engine as it is: what the questions come to when nothing is broken.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lakeveil
from tests.stack_fixture import Weed

_ENGINE = "adapters/engine"
_HOLDS = {"fails by a hidden row": False, "tells how": False, "capabilities": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineMutant:
    """One fault, and what the questions come to with it."""

    name: str
    file: str = ""
    old: str = ""
    new: str = ""
    shows: Mapping[str, bool]
    quick: bool = False

    def copied(self, directory: Path) -> Path:
        """A copy of all of the product, broken, to be found before the installed one."""
        copy = directory / "broken"
        shutil.copytree(
            Path(lakeveil.__file__).parent,
            copy / "lakeveil",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        if self.file:
            path = copy / "lakeveil" / _ENGINE / self.file
            source = path.read_text("utf-8")
            assert source.count(self.old) == 1, "the source is another now"
            path.write_text(source.replace(self.old, self.new), "utf-8")
        return copy

    def question(self, weed: Weed, directory: Path) -> str:
        """Where the store is, as text."""
        key = weed.credentials.s3["admin"]
        bucket = weed.new_bucket("mutant")
        return json.dumps(
            {
                "endpoint": weed.endpoint,
                "key": [key.access_key_id, key.secret_access_key],
                "bucket": bucket,
                "directory": str(directory),
            }
        )


ENGINE_MUTANTS = (
    EngineMutant(name="whole", shows=_HOLDS, quick=True),
    EngineMutant(
        name="a failed query does not run again over permitted rows",
        file="jobs.py",
        old="if not may_depend_on_data(classify(error)):",
        new="if True:",
        shows={**_HOLDS, "fails by a hidden row": True},
        quick=True,
    ),
    EngineMutant(
        name="nothing is held back until it is known",
        file="engine.py",
        old="guarded=rows_back)",
        new="guarded=False)",
        shows={**_HOLDS, "fails by a hidden row": True},
    ),
    EngineMutant(
        name="failures say how",
        file="failures.py",
        old="if collapse and known in ON_DATA:",
        new="if False:",
        shows={**_HOLDS, "tells how": True},
    ),
    EngineMutant(
        name="capabilities are kept",
        file="confinement.py",
        old="    _drop_capabilities()\n    resource",
        new="    resource",
        shows={**_HOLDS, "capabilities": True},
    ),
)


def main() -> None:
    """Ask, and print what came of it."""
    asked = json.load(sys.stdin)
    from tests.hostile.engine_questions import answers

    with tempfile.TemporaryDirectory(dir=asked["directory"]) as directory:
        found: dict[str, Any] = answers(asked, Path(directory))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
