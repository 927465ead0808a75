"""The how-to is followed as it is written, and its policy does what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from lakeveil.aws.lakeveil.service import CHANGES, READS
from lakeveil.core.identity.rights import from_policy_document
from tests.docs.markdown import blocks
from tests.doors.lakeformation.asking import code
from tests.doors.lakeformation.conftest import key_of
from tests.doors.lakeveil.conftest import client_of, service_over, serving_to
from tests.doors.running import SECRET, Door
from tests.flows.lakes import ANA, OWNER, World

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = DOCS / "how-to" / "call-lakeveils-own-api.md"


def test_calling_it_works_as_documented(
    served: Door, lake: World, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = tmp_path / "credentials"
    profiles.write_text(
        f"[owner]\naws_access_key_id={key_of(OWNER)}\naws_secret_access_key={SECRET}\n"
    )
    for name, value in {
        "AWS_ENDPOINT_URL_LAKEVEIL": served.url,
        "AWS_DATA_PATH": str(models),
        "AWS_SHARED_CREDENTIALS_FILE": str(profiles),
        "AWS_ACCESS_KEY_ID": key_of(ANA),
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    # Nobody else's session, and none left for others.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    names: dict[str, Any] = {}
    shown = [block for block in blocks(PAGE) if block.language == "python"]

    for block in shown:
        exec(block.text, names)

    assert len(shown) == 5
    assert lake.sees(ANA) == ["ip_address"]


def test_the_policy_lets_somebody_look_and_ask_and_no_more(lake: World, models: Path) -> None:
    [policy] = [block.text for block in blocks(PAGE) if block.language == "json"]
    ana = replace(ANA, rights=from_policy_document(policy))
    with serving_to(service_over(lake, lambda _caller: ana)) as running:
        asking = client_of(running, models, ANA)
        assert len(asking.list_discoverable()["Listings"]) == 3
        assert asking.explain_access(DatabaseName="ads")["Tables"]
        asking.request_access(DatabaseName="ads", TableName="events", Reason="churn")
        table = {"DatabaseName": "ads", "TableName": "events"}
        for call, asked in (
            (asking.break_glass, {**table, "Reason": "now"}),
            (asking.set_discoverable, {**table, "Discoverable": False}),
            (asking.list_name_guards, {}),
        ):
            assert code(call, **asked) == "AccessDeniedException"
    assert json.loads(policy)["Statement"][0]["Effect"] == "Allow"


def test_both_pages_name_every_operation() -> None:
    reference, table = (DOCS / "reference" / "api.md").read_text(), PAGE.read_text()
    for operation in (*CHANGES, *READS):
        assert f"\n### {operation}\n" in reference
        assert f"`{operation}`" in table.partition("## Let people call it")[2]
