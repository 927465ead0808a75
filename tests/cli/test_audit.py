"""`lakeveil audit`: what is on record, whether it is sound, and what is erased from it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest

from lakeveil.adapters.audit_log import SqlAuditLog
from lakeveil.cli.audit import command
from lakeveil.cli.main import COMMANDS, invoke
from lakeveil.core.audit import AuditEvent, AuditOutcome
from lakeveil.settings import load_settings
from lakeveil.wiring.audit import open_audit

ANA = "arn:aws:iam::123456789012:user/ana"
SECRET = "ana.secret@example.org"

# The output, the talk, the exit code.
Run = Callable[..., tuple[str, str, int]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[str, str, int]:
        code = invoke(["audit", *words])
        said = capsys.readouterr()
        return said.out, said.err, code

    return run


@pytest.fixture
def log(run: Run) -> Iterator[SqlAuditLog]:
    del run
    with open_audit(load_settings()[0], writer="web") as audit:
        yield audit.log


def query(**more: Any) -> AuditEvent:
    said = {"outcome": AuditOutcome.ALLOWED, "sensitive": {"literal_1": SECRET}, **more}
    return AuditEvent(principal=ANA, action="query", resource="ads.clicks", **said)


def tamper(statement: str) -> None:
    with closing(sqlite3.connect(".lakeveil/state.db", isolation_level=None)) as database:
        database.execute("DROP TRIGGER audit_records_keep_update")
        database.execute("DROP TRIGGER audit_records_keep_delete")
        database.execute(statement)


def test_it_is_a_command_of_lakeveil() -> None:
    assert COMMANDS["audit"][0] == "audit"
    assert isinstance(command, click.Group)
    assert set(command.commands) == {"show", "verify", "head", "erase"}


def test_show_lists_the_newest_first_and_marks_open_intents(run: Run, log: SqlAuditLog) -> None:
    log.complete(log.intend(query()), outcome=AuditOutcome.DONE, rows=3)
    intent = log.intend(query())
    out, _, code = run("show", "--action", "query", "--json")
    rows = json.loads(out)
    assert code == 0
    assert [row["outcome"] for row in rows] == ["allowed", "done", "allowed"]
    assert [row["open"] for row in rows] == [True, False, False]
    assert rows[1]["rows"] == 3
    assert SECRET not in out
    out, _, code = run("show", "--open")
    assert (code, len(out.splitlines())) == (0, 2)
    assert "allowed, open" in out
    assert intent in out


def test_show_filters(run: Run, log: SqlAuditLog) -> None:
    log.record(query(outcome=AuditOutcome.REFUSED))
    for words, count in (
        (["--principal", ANA, "--resource", "ads.*", "--outcome", "refused"], 1),
        (["--principal", "nobody"], 0),
        (["--since", "2000-01-01", "--action", "query"], 1),
        (["--until", "2000-01-01T00:00+02:00"], 0),
        (["--limit", "1"], 1),
    ):
        out, _, code = run("show", "--json", *words)
        assert (code, len(json.loads(out))) == (0, count), words
    out, talk, _ = run("show", "--principal", "nobody")
    assert (out, talk) == ("", "nothing on record fits\n")
    _, talk, code = run("show", "--since", "yesterday")
    assert code == 2
    assert "`yesterday` is not a time" in talk


def test_reveal_decrypts_and_is_on_record_itself(run: Run, log: SqlAuditLog) -> None:
    intent = log.intend(query())
    out, _, code = run("show", "--action", "query", "--reveal", "--json")
    assert code == 0
    assert json.loads(out)[0]["literals"] == {"literal_1": SECRET}
    out, _, _ = run("show", "--action", "audit:Reveal", "--json")
    done, intended = json.loads(out)
    assert (done["outcome"], done["rows"]) == ("done", 1)
    assert intended["detail"]["records"] == [intent]
    assert intended["principal"].startswith("local:")
    assert run("show", "--reveal")[0].count(SECRET) == 1


def test_verify_exits_0_where_all_is_sound_and_counts_open_intents(
    run: Run, log: SqlAuditLog
) -> None:
    log.intend(query())
    out, talk, code = run("verify", "--json")
    found = json.loads(out)
    assert (code, talk) == (0, "")
    assert (found["sound"], found["open_intents"], found["encrypted"]) == (True, 1, 1)
    assert found["findings"] == []


def test_verify_exits_1_and_names_the_first_bad_record(run: Run, log: SqlAuditLog) -> None:
    for _ in range(3):
        log.record(query(outcome=AuditOutcome.DONE))
    tamper("DELETE FROM audit_records WHERE writer = 'web' AND sequence = 2")
    out, talk, code = run("verify")
    assert code == 1
    assert "sound         no" in out
    assert "error: record 2 of audit chain `web` is not as it was written (missing)" in talk
    out, talk, code = run("verify", "--json")
    assert code == 1
    (finding,) = json.loads(out)["findings"]
    assert (finding["problem"], finding["sequence"]) == ("missing", 2)
    assert json.loads(talk)["error"]["code"] == "audit_log_damaged"


def test_a_damaged_record_is_shown_as_such(run: Run, log: SqlAuditLog) -> None:
    log.record(query(outcome=AuditOutcome.DONE))
    tamper("UPDATE audit_records SET record = '{}' WHERE action = 'query'")
    out, _, code = run("show", "--action", "query")
    assert code == 0
    assert "damaged: see `lakeveil audit verify`" in out


def test_an_exported_head_is_verified_against(run: Run, log: SqlAuditLog) -> None:
    log.record(query(outcome=AuditOutcome.DONE))
    out, _, code = run("head", "-o", "HEAD.json", "--json")
    assert code == 0
    assert json.loads(out) == json.loads(Path("HEAD.json").read_text("utf-8"))
    assert run("verify", "--against", "HEAD.json")[2] == 0
    out, _, _ = run("head")
    assert out.splitlines()[0].split() == ["chain", "records", "hash"]
    changed = Path("HEAD.json").read_text("utf-8").replace('"count": 1', '"count": 2')
    Path("HEAD.json").write_text(changed, "utf-8")
    _, talk, code = run("verify", "--against", "HEAD.json")
    assert code == 1
    assert "not signed with this log's key" in talk
    Path("HEAD.json").write_text("{}", "utf-8")
    _, talk, code = run("verify", "--against", "HEAD.json")
    assert code == 2
    assert "not an exported head" in talk


def test_erase_asks_shreds_and_leaves_a_sound_log(run: Run, log: SqlAuditLog) -> None:
    log.intend(query())
    _, talk, code = run("erase", "--principal", ANA)
    assert code == 2
    assert "Pass --yes" in talk
    out, _, code = run("erase", "--principal", ANA, "--reason", "request 17", "--yes", "--json")
    assert (code, json.loads(out)) == (0, {"erased": 1})
    assert run("verify")[2] == 0
    out, _, _ = run("show", "--action", "query", "--reveal", "--json")
    assert "was erased" in json.loads(out)[0]["literals"]
    _, talk, code = run("erase", "--principal", ANA, "--yes")
    assert code == 1
    assert "there is nothing to erase" in talk
    _, talk, code = run("erase", "--yes")
    assert code == 2
    assert "nothing says what to erase" in talk


def test_a_log_whose_keys_are_gone_says_what_to_do(run: Run, log: SqlAuditLog) -> None:
    log.record(query(outcome=AuditOutcome.DONE))
    Path(".lakeveil/audit-keys.json").unlink()
    for words in ("verify", "show", "head"):
        _, talk, code = run(words)
        assert code == 1
        assert "the keys of the audit log are gone" in talk
        assert "restore `audit-keys.json`" in talk
