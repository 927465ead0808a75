"""The how-to is followed as it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from lakeveil.aws.lakeformation.service import CHANGES, READS
from tests.docs.markdown import blocks
from tests.doors.lakeformation.conftest import key_of
from tests.doors.running import SECRET, Door
from tests.flows.lakes import ADMIN, ANA, CLICKS, EVENTS, World

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_sharing_by_tag_works_as_documented(
    served: Door, lake: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL_LAKEFORMATION": served.url,
        "AWS_ACCESS_KEY_ID": key_of(ADMIN),
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    # Nobody else's session, and none left for others.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    names: dict[str, Any] = {}
    shown = [
        b for b in blocks(DOCS / "how-to" / "share-tables-by-tag.md") if b.language == "python"
    ]

    for block in shown:
        exec(block.text, names)

    assert len(shown) == 7
    assert lake.sees(ANA, EVENTS) == ["id", "ts", "spend"]
    assert lake.sees(ANA, CLICKS) == ["id", "ts", "ip_address", "spend"]


def test_the_reference_names_every_operation_and_no_other() -> None:
    table = (DOCS / "reference" / "lakeformation.md").read_text().partition("## Who may")[0]

    for operation in (*CHANGES, *READS):
        assert operation in table
