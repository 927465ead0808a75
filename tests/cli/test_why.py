"""`lakeveil why` and `lakeveil access`, over a real installation's state."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lakeveil.adapters.audit_log import open_audit_log
from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.identity.directory import Directory
from lakeveil.adapters.lake import open_lake
from lakeveil.cli.access import command as access_command
from lakeveil.cli.session import Session
from lakeveil.cli.why import command as why_command
from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnDatabase,
    OnTable,
    PolicyKind,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Column, Database, LakeSettings, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Account
from lakeveil.errors import LakeveilError
from lakeveil.ports.lake import Assignment, DatabaseRecord, Location, Place, TableRecord
from tests.new_database import new_database

HOME = "111111111111"
ANA, BOB, DAVE = (arns.user_arn(HOME, name) for name in ("ana", "bob", "dave"))
READS = json.dumps(
    {"Statement": [{"Effect": "Allow", "Action": "lakeformation:GetDataAccess", "Resource": "*"}]}
)
SET_AT = 1_772_409_600.0  # 2026-03-02

# The output, the talk, the exit code.
Run = Callable[..., tuple[str, str, int]]


@pytest.fixture(scope="module")
def laid_down(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the lake of the article: `ads` is open, two columns of `events` are private."""
    home = tmp_path_factory.mktemp("home") / "home"
    home.mkdir(mode=0o700)
    engine = new_database(home / "state.db")
    directory = Directory(engine, SystemClock())
    directory.create_account(Account(id=HOME, name="main"))
    for name in ("ana", "bob", "dave"):
        directory.create_user(HOME, name, policy=READS)
    directory.create_group(HOME, "analysts")
    open_audit_log(engine, home)
    with open_lake(engine).changing() as change:
        change.put_settings(HOME, LakeSettings(administrators=frozenset({DAVE})))
        change.put_location(Location(account=HOME, location="s3://lake/ads"))
        change.put_database(DatabaseRecord(database=Database(account=HOME, name="ads")))
        change.put_table(
            TableRecord(
                table=Table(
                    name=TableName(HOME, "ads", "events"),
                    columns=tuple(Column(one) for one in ("id", "ts", "ip", "email")),
                ),
                location="s3://lake/ads/events",
            )
        )
        for key, values in (("class", ("private", "non-private")), ("owner", ("internal",))):
            change.put_tag(LFTag(account=HOME, key=key, values=frozenset(values)))
        for place, key, value in (
            (Place(HOME, "ads"), "class", "non-private"),
            (Place(HOME, "ads"), "owner", "internal"),
            (Place(HOME, "ads", "events", "ip"), "class", "private"),
            (Place(HOME, "ads", "events", "email"), "class", "private"),
        ):
            change.assign(Assignment(place=place, key=key, value=value, set_by=DAVE, set_at=SET_AT))
        open_only = Expression.of({"class": ["non-private"], "owner": ["internal"]})
        for to in (ANA, BOB):
            change.put_grant(_grant(to, TagPolicy(HOME, PolicyKind.TABLE, expression=open_only)))
        change.put_grant(_grant(ANA, OnDatabase(HOME, "ads"), Permission.DESCRIBE))
    engine.dispose()
    return home


def _grant(
    to: str, on: TagPolicy | OnDatabase | OnTable, permission: Permission = Permission.SELECT
) -> Grant:
    return Grant(
        id="", account=HOME, principal=to, resource=on, permissions=frozenset({permission})
    )


@pytest.fixture
def run(
    laid_down: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    home = tmp_path / "home"
    shutil.copytree(laid_down, home)
    home.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKEVEIL_HOME", str(home))

    def run(*words: str) -> tuple[str, str, int]:
        name, *rest = words
        session = Session(as_json="--json" in rest)
        command = {"why": why_command, "access": access_command}[name]
        try:
            command.main(args=rest, prog_name=name, standalone_mode=False, obj=session)
            code = 0
        except LakeveilError as error:
            session.fail(error.as_dict())
            code = error.exit_code
        said = capsys.readouterr()
        return said.out, said.err, code

    return run


def test_a_hidden_column_is_explained_as_people_read_it(run: Run) -> None:
    out, _, code = run("why", "ana", "ads.events.email")
    assert code == 0
    lines = out.splitlines()
    set_by_dave = "class=private (set on the column by dave, 2026-03-02)"
    assert lines[:4] == [
        "ana may not see ads.events.email",
        f"  tags    {set_by_dave} · owner=internal (from the database)",
        "  nearest grant g1 needs class=non-private",
        "  to change it, least exposure first",
    ]
    assert lines[4].startswith("    1 grant ana SELECT on ads.events.email by name  ")
    assert lines[4].endswith("exposes 1 column to 1 principal")
    assert any(
        line.strip().endswith("exposes 1 column to 2 principals")
        and "set class=non-private" in line
        for line in lines
    )


def test_a_visible_column_is_explained_by_its_grant(run: Run) -> None:
    out, _, _ = run("why", "ana", "ads.events.id")
    assert out.splitlines()[0] == "ana may see ads.events.id"
    assert "  because grant g1 to ana" in out
    assert "to change it" not in out


def test_the_commands_of_a_change_can_be_shown(run: Run) -> None:
    out, _, _ = run("why", "ana", "ads.events.email", "--commands")
    assert "      aws lakeformation grant-permissions --cli-input-json " in out


def test_the_answer_for_programs_has_everything(run: Run) -> None:
    out, _, _ = run("why", "ana", "ads.events.email", "--json")
    told = json.loads(out)
    (column,) = told["columns"]
    assert column["outcome"] == "hidden"
    assert column["tags"][0] == {
        "key": "class",
        "value": "private",
        "from": "column",
        "defined": True,
        "set_by": DAVE,
        "set_at": SET_AT,
    }
    assert column["failing"][0]["obstacles"][0]["needs"] == ["non-private"]
    assert told["fixes"][0]["exposes"] == [
        {
            "principal": ANA,
            "table": "ads.events",
            "column": "email",
            "before": "hidden",
            "after": "visible",
        }
    ]
    assert told["fixes"][0]["changes"][0]["commands"]


def _mask(to: str, kind: str, column: str) -> None:
    """A grant of SELECT through a mask."""
    engine = open_database(Session().settings.database_url)
    with open_lake(engine).changing() as change:
        on = OnColumns(HOME, "ads", "events", frozenset({column}))
        masked = Grant(
            id="",
            account=HOME,
            principal=to,
            resource=on,
            permissions=frozenset({Permission.SELECT}),
            mask=Mask(MaskKind(kind)),
        )
        change.put_grant(masked)
    engine.dispose()


def test_the_mask_that_wins_is_named_and_one_that_does_not_fit_is_told(run: Run) -> None:
    _mask(ANA, "year", "email")
    out, _, _ = run("why", "ana", "ads.events.email")
    assert "  mask    null" in out.splitlines()
    assert "through mask year, which does not fit string and shows NULL" in out
    _mask(ANA, "hash", "email")
    out, _, _ = run("why", "ana", "ads.events.email")
    assert out.startswith("ana sees only a mask of ads.events.email\n")
    assert "  mask    hash wins over null" in out.splitlines()
    (column,) = json.loads(run("why", "ana", "ads.events.email", "--json")[0])["columns"]
    assert column["mask"] == "hash"
    assert [one["unfit_for"] for one in column["because"]] == ["string", None]


def test_who_may_not_describe_a_tag_reads_nothing_of_it_here_either(run: Run) -> None:
    engine = open_database(Session().settings.database_url)
    with open_lake(engine).changing() as change:
        change.set_discoverable(HOME, "ads", "events", on=False)
        change.put_grant(_grant(ANA, OnTable(HOME, "ads", "events")))
    engine.dispose()
    for words in (("ads.events.email",), ("ads.events.email", "--json"), ("ads.events", "--json")):
        out, _, _ = run("why", "ana", *words, "--as", "ana")
        assert "private" not in out.replace("non-private", "")
        assert "dave" not in out
        # Of their own grants they know what these are on.
        assert "internal" not in out.replace("class=non-private and owner=internal", "")
    assert "needs a tag that it does not have" in run("why", "ana", "ads.events.email", "--as",
                                                      "ana", "--all")[0]  # fmt: skip
    hidden = run("why", "bob", "ads.events.email", "--as", "bob", "--json")
    absent = run("why", "bob", "ads.events.nope", "--as", "bob", "--json")
    assert hidden[2] == absent[2] == 1
    assert hidden[0] + hidden[1] == (absent[0] + absent[1]).replace("nope", "email")


def test_a_table_is_explained_with_equal_reasons_together(run: Run) -> None:
    out, _, _ = run("why", "ana", "ads.events")
    assert out.splitlines() == [
        "ana sees 2 of 4 columns of ads.events",
        "  visible id, ts     grant g1 to ana",
        "  hidden  ip, email  nearest grant g1 needs class=non-private",
    ]


def test_a_database_is_explained_table_by_table(run: Run) -> None:
    out, err, _ = run("why", "ana", "ads")
    assert "ana has DESCRIBE on database ads itself" in err
    assert out.splitlines()[-1].split() == ["ads.events", "2", "0", "2"]
    assert json.loads(run("why", "ana", "ads", "--json")[0])["permissions"] == ["DESCRIBE"]


def test_an_administrator_is_told_that_it_sees_no_data(run: Run) -> None:
    out, _, _ = run("why", "dave", "ads.events.id")
    assert "  as administrator it knows of the table, and sees no data of it" in out


def test_somebody_asks_for_themselves_with_as(run: Run) -> None:
    out, _, code = run("why", "ana", "ads.events.email", "--as", "ana")
    assert code == 0
    assert "to change it" not in out
    _, err, code = run("why", "bob", "ads.events.email", "--as", "ana")
    assert code == 5
    assert "about yourself only" in err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nobody", "ads.events.id"), 1),
        (("ana", "ads.nope"), 1),
        (("ana", "ads.events.nope"), 1),
        (("ana", "nope"), 1),
        (("ana", "a.b.c.d"), 2),
        (("ana", "ads", "--account", "999999999999"), 2),
    ],
)
def test_what_is_not_there_is_said_so(run: Run, words: tuple[str, ...], code: int) -> None:
    assert run("why", *words)[2] == code


def test_the_matrix_lists_what_is_seen_and_a_file_all_of_it(run: Run, tmp_path: Path) -> None:
    out, _, _ = run("access", "matrix", "--json")
    assert {(row["principal"], row["column"]) for row in json.loads(out)} == {
        (who, column) for who in (ANA, BOB) for column in ("id", "ts")
    }
    out, _, _ = run("access", "matrix", "--principal", "dave", "--hidden", "--json")
    assert {row["outcome"] for row in json.loads(out)} == {"hidden"}
    run("access", "matrix", "--output", "all.parquet")
    assert pq.read_table(tmp_path / "all.parquet").num_rows == 3 * 4
    assert run("access", "matrix", "--output", "all.xlsx")[2] == 2


def test_a_change_is_shown_before_it_is_made_and_can_fail_a_pipeline(run: Run) -> None:
    change = ("access", "diff", "--change", "untag ads.events.email class")
    out, err, code = run(*change)
    assert code == 0
    assert [line.split("\t")[:4] for line in out.splitlines()[1:]] == [
        ["+", ANA, "ads.events", "email"],
        ["+", BOB, "ads.events", "email"],
    ]
    assert "exposes 1 column to 2 principals" in err
    assert run(*change, "--fail-on", "class=private")[2] == 5
    assert run(*change, "--fail-on", "owner=internal")[2] == 5
    assert run("access", "diff", "--change", f"grant {ANA} ads.events.id", "--fail-on",
               "class=private")[2] == 0  # fmt: skip
    assert run("access", "diff", "--change", "revoke g1", "--fail-on", "class=private")[2] == 0


def test_two_files_are_compared_and_one_with_now(run: Run) -> None:
    run("access", "matrix", "--output", "before.csv")
    request = _ask(run)
    assert run("access", "approve", request, "--yes")[2] == 0
    run("access", "matrix", "--output", "after.parquet")
    for later in ((), ("--after", "after.parquet")):
        words = ("access", "diff", "--before", "before.csv", *later)
        told = json.loads(run(*words, "--json")[0])
        assert [(g["principal"], g["column"]) for g in told["gains"]] == [(ANA, "email")]
        assert told["losses"] == []
        assert run(*words, "--fail-on", "class=private")[2] == 5
        assert run(*words, "--fail-on", "class=non-private")[2] == 0


@pytest.mark.parametrize(
    "words", [(), ("--before", "none.csv", "--change", "x"), ("--change", "drop everything"),
              ("--change", "revoke g1", "--fail-on", "class")],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused(run: Run, words: tuple[str, ...]) -> None:
    Path("none.csv").touch()
    assert run("access", "diff", *words)[2] == 2


def _ask(run: Run, column: str = "email") -> str:
    out, _, code = run(
        "access", "request", f"ads.events.{column}", "--as", "ana", "--reason", "churn", "--json"
    )
    assert code == 0
    return str(json.loads(out)["id"])


def test_asking_and_approving_goes_from_end_to_end(run: Run) -> None:
    request = _ask(run)
    listed = json.loads(run("access", "requests", "--json")[0])
    assert [(one["id"], one["state"]) for one in listed] == [(request, "pending")]
    shown = json.loads(run("access", "requests", request, "--json")[0])
    assert (shown["cells"], shown["asked"]) == (1, [DAVE])
    assert run("access", "approve", request, "--as", "bob", "--yes")[2] == 1
    out, err, code = run("access", "approve", request, "--as", "dave", "--days", "2", "--yes")
    assert code == 0
    assert "ads.events.email: hidden -> visible" in err
    assert run("why", "ana", "ads.events.email")[0].startswith("ana may see")
    assert json.loads(run("access", "requests", "--json")[0]) == []
    (answered,) = json.loads(run("access", "requests", "--all", "--json")[0])
    assert answered["answered_by"] == DAVE
    until = run("access", "extend", answered["grant"], "--until", "2999-12-31", "--json")[0]
    assert json.loads(until)["until"].startswith("3000-01-01")
    assert "state" in out


def test_a_request_is_denied_or_withdrawn(run: Run) -> None:
    out, _, _ = run("access", "deny", _ask(run), "--reason", "use the aggregate", "--json")
    assert json.loads(out)["answer"] == "use the aggregate"
    out, _, _ = run("access", "withdraw", _ask(run), "--as", "ana", "--json")
    assert json.loads(out)["state"] == "withdrawn"


def test_the_glass_is_broken_loudly(run: Run) -> None:
    words = ("access", "break-glass", "ads.events.email", "--reason", "breach", "--yes", "--as")
    assert run(*words, "ana")[2] == 5
    _, err, code = run(*words, "dave", "--hours", "0.5")
    assert code == 0
    assert "EMERGENCY ACCESS: dave sees ads.events.email until" in err
    listed = json.loads(run("access", "requests", "--json")[0])
    assert [one["state"] for one in listed] == ["emergency"]
