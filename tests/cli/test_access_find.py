"""`lakeveil access find` and `lakeveil api`."""

from __future__ import annotations

import json
from pathlib import Path

import botocore.session
from click.testing import CliRunner

from lakeveil.cli.api import command as api_command
from lakeveil.cli.session import Session
from tests.cli import test_why
from tests.cli.test_why import ANA, Run

laid_down, run = test_why.laid_down, test_why.run


def test_the_operator_finds_everything_by_words(run: Run) -> None:
    out, _, code = run("access", "find", "events", "owner=internal")
    assert code == 0
    assert [line.split("\t")[:2] for line in out.splitlines()] == [
        ["name", "access"],
        ["ads.events", ""],
    ]


def test_somebody_finds_whether_they_may_read_it(run: Run) -> None:
    out, _, _ = run("access", "find", "--as", "ana", "--json")
    assert [(row["name"], row["access"]) for row in json.loads(out)] == [
        ("ads", "partly"),
        ("ads.events", "partly"),
    ]
    assert ANA not in out


def test_what_must_not_be_known_of_is_not_found(run: Run) -> None:
    run("access", "discoverable", "ads", "off")
    out, talk, code = run("access", "find", "ads", "--as", "dave2")
    assert (out, code) == ("", 1)
    out, talk, code = run("access", "find", "nope", "--as", "bob")
    assert (out, talk, code) == ("", "nothing is found\n", 0)


def test_the_model_is_printed_or_written_for_clients(tmp_path: Path) -> None:
    printed = CliRunner().invoke(api_command, ["model"], obj=Session())
    written = CliRunner().invoke(
        api_command, ["model", "--into", str(tmp_path)], obj=Session(as_json=True)
    )

    place = Path(json.loads(written.stdout)["model"])
    assert place.read_text() == printed.stdout
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(tmp_path))
    model = session.get_service_model("lakeveil")
    assert "ExplainAccess" in model.operation_names
    assert place.parent.name == model.api_version
