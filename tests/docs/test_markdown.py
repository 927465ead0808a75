"""The reader of our Markdown, since the tests of the documents are only as good as it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.markdown import anchors, blocks, links, shows, steps

DOCUMENT = """# A title: with signs!

<!-- not run: it needs an account -->
```bash
aws sts get-caller-identity
```

```console
$ one \\
    two
its output
$ three
```

A [link](other.md#part), a [site](https://example.org) and `[no](link.md)`.

```text
[nor](this.md)
```
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "document.md"
    path.write_text(DOCUMENT)
    return path


def test_a_remark_belongs_to_the_block_right_below_it(document: Path) -> None:
    first, second, _ = blocks(document)
    assert first.why_not_run == "it needs an account"
    assert second.why_not_run is None


def test_a_remark_without_a_reason_is_none(tmp_path: Path) -> None:
    path = tmp_path / "document.md"
    path.write_text("<!-- not run: -->\n```bash\ntrue\n```\n")
    assert blocks(path)[0].why_not_run is None


def test_a_block_knows_its_line(document: Path) -> None:
    assert [block.line for block in blocks(document)] == [4, 8, 17]


def test_console_blocks_split_into_commands_and_their_output(document: Path) -> None:
    found = steps(blocks(document)[1])
    assert [step.command for step in found] == ["one \\\n    two", "three"]
    assert [step.output for step in found] == ["its output\n", ""]


def test_links_in_code_are_no_links(document: Path) -> None:
    assert list(links(document)) == [("other.md", "part")]


def test_anchors_are_those_of_github(document: Path) -> None:
    assert anchors(document) == {"a-title-with-signs"}


@pytest.mark.parametrize(
    ("expected", "actual", "holds"),
    [
        ("key  outcome", "key\toutcome", True),
        ("took ... ms", "took 12.5 ms", True),
        ("b", "a\nb\nc", True),
        ("a\n...\nc", "a\nb\nc", True),
        ("c\na", "a\nc", False),
        ("took 3 ms", "took 13 ms", False),
        ("a\na", "a", False),
    ],
)
def test_shown_output_must_occur_in_order(expected: str, actual: str, holds: bool) -> None:
    assert shows(expected, actual) is holds
