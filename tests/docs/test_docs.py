"""Every command in the documentation is run, every link is followed, every setting is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo import stack

from lakeveil.core.outcomes import Outcome
from lakeveil.core.photos import Preset, Shape, Style
from lakeveil.settings import load_settings
from tests.docs.lake import lay_down
from tests.docs.markdown import Block, Step, anchors, blocks, headings, links, shows, steps

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GLOSSARY = ROOT / "docs" / "glossary.md"

RUN = {"bash", "console"}
NOT_CODE = {"text", "json", "toml", "python", "javascript", "yaml", "xml", "ini"}
REPEAT_FOR_S = 60.0


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


def runnable(document: Path) -> list[Block]:
    return [b for b in blocks(document) if b.language in RUN and b.why_not_run is None]


# They start with an empty lake in the only account; others add accounts of their own.
ALONE = {ROOT / "docs" / "tutorial-tables.md", ROOT / "docs" / "tutorial-sql.md"}
# What it asks about is there; what it says are commands that need nothing to run.
AT_REST = {ROOT / "docs" / "how-to" / "find-out-why.md"}


@pytest.fixture(scope="session")
def documented_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Stack]:
    """One stack for all documents but those that want their own."""
    # Every release is offered for review, so that the commands have something to show.
    everything = """
[[collections]]
name = "photos"
source = "s3://photos"
release = "s3://photos-released"
review_share = 1.0
"""
    home = tmp_path_factory.mktemp("docs") / "home"
    with stack.running(home, settings=everything) as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if runnable(d) and d not in ALONE | AT_REST], ids=name
)
def test_every_command_of_a_document_works_and_prints_what_it_shows(
    document: Path, documented_stack: stack.Stack, tmp_path: Path
) -> None:
    follow(document, Reader(tmp_path, documented_stack))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("document", sorted(ALONE), ids=name)
def test_a_document_that_starts_from_nothing_works_on_a_new_stack(
    document: Path, tmp_path: Path
) -> None:
    with stack.running(tmp_path / "home") as running:
        folder = tmp_path / "clone"
        folder.mkdir()
        follow(document, Reader(folder, running))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("document", sorted(AT_REST), ids=name)
def test_a_document_about_a_lake_with_tables_prints_what_it_shows(
    document: Path, tmp_path: Path
) -> None:
    home, folder = tmp_path / "home", tmp_path / "clone"
    lay_down(home)
    config = home / "lakeveil.toml"
    config.write_text(f"home = {json.dumps(str(home))}\n", "utf-8")
    folder.mkdir()
    resting = stack.Stack(
        home=home, config=config, log=home / "up.log", ports={"s3": 8333, "http": 8190}, ready={}
    )
    follow(document, Reader(folder, resting))


def follow(document: Path, reader: Reader) -> None:
    """Run a document from its first block to its last."""
    for block in runnable(document):
        *first, last = steps(block)
        for step in first:
            reader.follow(step, block, exit_code=0)
        reader.follow(last, block, exit_code=block.exit_code)


class Reader:
    """Somebody who follows a document in one terminal, in a folder like a fresh clone."""

    def __init__(self, folder: Path, running: stack.Stack) -> None:
        self._folder = folder
        self._ports = {"8333": running.ports["s3"], "8190": running.ports["http"]}
        (folder / "demo").symlink_to(ROOT / "demo")
        (folder / ".venv").symlink_to(Path(sys.prefix))
        (folder / ".lakeveil").symlink_to(running.home)
        outside = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LAKEVEIL_"))}
        self._environ = outside | {
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}:{outside['PATH']}",
            "LAKEVEIL_CONFIG": str(running.config),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
        }
        self._variables = folder / ".variables"
        self._variables.touch()

    def follow(self, step: Step, block: Block, *, exit_code: int) -> None:
        """Run one step; look again where the document says that it takes a while."""
        end = time.monotonic() + (REPEAT_FOR_S if block.is_repeated else 0)
        while True:
            done = self._run(step.command)
            if done.returncode == exit_code and shows(step.output, self._at_home(done.stdout)):
                return
            if time.monotonic() >= end:
                break
            time.sleep(0.3)
        pytest.fail(
            f"{name(block.document)}:{block.line}: `{step.command}` exited with "
            f"{done.returncode} (documented: {exit_code}) and printed:\n{done.stdout}\n"
            f"documented:\n{step.output}",
            pytrace=False,
        )

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        for usual, ours in self._ports.items():
            command = command.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{ours}")
        # The next command finds what this one exported, as in one terminal.
        script = f"set -e\nsource {self._variables}\n{command}\nexport -p > {self._variables}\n"
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def _at_home(self, output: str) -> str:
        for usual, ours in self._ports.items():
            output = output.replace(f"127.0.0.1:{ours}", f"127.0.0.1:{usual}")
        return output


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_block_is_run_or_says_why_not(document: Path) -> None:
    for block in blocks(document):
        where = f"{name(document)}:{block.line}"
        assert block.language in RUN | NOT_CODE, f"{where}: `{block.language}` is no known language"
        assert not block.remark or block.why_not_run or block.remark.startswith("run:"), (
            f"{where}: the remark above the block gives no reason"
        )


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_setting_shown_is_a_setting(document: Path, tmp_path: Path) -> None:
    for block in blocks(document):
        if block.language == "toml" and block.why_not_run is None:
            file = tmp_path / f"{block.line}.toml"
            file.write_text(block.text, "utf-8")
            load_settings(file)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for path, anchor in links(document):
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{name(document)} links to `{path}`, which is not there"
        assert target.is_relative_to(ROOT), f"{name(document)} links out of the repository"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{name(document)} links to `{path}#{anchor}`"


def test_every_document_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document in seen:
            continue
        seen.add(document)
        targets = [(document.parent / path).resolve() for path, _ in links(document) if path]
        # A link to a folder leads to what lies in it.
        for target in targets:
            waiting += sorted(target.glob("*.md")) if target.is_dir() else []
            waiting += [target] if target.suffix == ".md" and target.exists() else []
    assert {name(d) for d in DOCUMENTS if d.is_relative_to(ROOT / "docs")} <= {
        name(d) for d in seen if d.is_relative_to(ROOT)
    }


def test_the_glossary_is_in_order_and_says_each_word_once() -> None:
    words = headings(GLOSSARY)[1:]
    assert words == sorted(set(words))


@pytest.mark.parametrize("word", [*Outcome, *Style, *Preset, *Shape])
def test_every_word_that_a_record_or_a_policy_uses_is_explained(word: str) -> None:
    explained = [GLOSSARY, *(ROOT / "docs" / "concepts").glob("*.md")]
    explained.append(ROOT / "docs" / "how-to" / "tune-detection.md")
    assert any(f"`{word}`" in document.read_text("utf-8") for document in explained)
