"""`lakeveil identity`: who calls, managed on record, with secrets shown once."""

from __future__ import annotations

import configparser
import json
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeveil.adapters.database import open_database
from lakeveil.adapters.lake import open_lake
from lakeveil.cli.main import invoke
from lakeveil.core.access.grants import Grant, OnTable
from lakeveil.core.access.permissions import Permission
from lakeveil.core.identity import arns
from lakeveil.settings import load_settings
from lakeveil.wiring.audit import open_audit
from lakeveil.wiring.identity import open_identity
from tests.identity_parts import ACCOUNT, OTHER, allow, policy, trusting, trusting_issuer

# The output, the talk, the exit code.
Run = Callable[..., tuple[str, str, int]]

EVERYTHING = policy(allow())


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[str, str, int]:
        code = invoke(["identity", *words])
        said = capsys.readouterr()
        return said.out, said.err, code

    return run


@pytest.fixture
def account(run: Run) -> str:
    assert run("account", "create", "main", "--id", ACCOUNT)[2] == 0
    return ACCOUNT


def done(run: Run, *words: str) -> Any:
    """The document a command prints with --json."""
    out, talk, code = run(*words, "--json")
    assert code == 0, talk
    return json.loads(out)


def refused(run: Run, *words: str) -> dict[str, str]:
    """The error a command ends with."""
    out, talk, code = run(*words, "--json")
    assert code != 0
    assert out == ""
    error: dict[str, str] = json.loads(talk)["error"]
    assert error["fix"]
    return error


def file(text: str, name: str = "document.json") -> str:
    Path(name).write_text(text)
    return name


def test_an_account_is_drawn_twelve_digits_unless_they_are_given(run: Run) -> None:
    drawn = done(run, "account", "create", "consumer")
    assert len(drawn["id"]) == 12
    done(run, "account", "create", "main", "--id", ACCOUNT)
    assert {a["id"] for a in done(run, "account", "ls")} == {drawn["id"], ACCOUNT}
    done(run, "account", "delete", drawn["id"], "--yes")
    assert [a["id"] for a in done(run, "account", "ls")] == [ACCOUNT]


def test_a_user_gets_a_key_whose_secret_is_printed_once(run: Run, account: str) -> None:
    made = done(run, "user", "create", "ana", "--policy", file(EVERYTHING))
    assert made["arn"] == arns.user_arn(account, "ana")
    key = done(run, "key", "create", "ana")
    with open_identity(load_settings()[0], writer="test") as identity:
        found = identity.store.secret_of(key["access_key_id"])
    assert found == key["secret_access_key"]
    (row,) = done(run, "key", "ls", "ana")
    assert (row["id"], row["active"], row["expires_at"]) == (key["access_key_id"], True, None)
    said = [run(*words) for words in (("key", "ls", "ana"), ("user", "show", "ana"))]
    assert not [out for out, talk, _ in said if key["secret_access_key"] in out + talk]
    assert key["secret_access_key"] not in _on_record()


def test_a_key_is_rotated_by_create_disable_and_delete(run: Run, account: str) -> None:
    del account
    done(run, "user", "create", "ana")
    old = done(run, "key", "create", "ana")["access_key_id"]
    done(run, "key", "create", "ana", "--days", "90")
    assert refused(run, "key", "create", "ana")["code"] == "limit_exceeded"
    done(run, "key", "disable", old)
    assert [row["active"] for row in done(run, "key", "ls", "ana") if row["id"] == old] == [False]
    done(run, "key", "enable", old)
    done(run, "key", "delete", old, "--yes")
    (left,) = done(run, "key", "ls", "ana")
    assert left["expires_at"]


def test_a_key_goes_into_a_profile_and_its_secret_is_printed_nowhere(
    run: Run, account: str, tmp_path: Path
) -> None:
    done(run, "user", "create", "ana")

    out, talk, code = run("key", "create", "ana", "--profile", "ana")

    assert (code, talk) == (0, "")
    home = load_settings()[0].home_path
    source, choose = out.splitlines()
    assert (source, choose) == (f". {home / 'aws.env'}", "export AWS_PROFILE=ana")
    key = _profile(home, "ana")
    with open_identity(load_settings()[0], writer="test") as identity:
        assert identity.store.secret_of(key["aws_access_key_id"]) == key["aws_secret_access_key"]
        [found] = identity.store.keys.of_user(account, "ana")
    assert found.id == key["aws_access_key_id"]
    assert key["aws_secret_access_key"] not in out + _on_record()
    assert (home / "aws").stat().st_mode & 0o777 == 0o600
    # What was printed works in a shell, and the AWS CLI finds the key.
    asked = subprocess.run(
        ["sh", "-c", f"{out}\naws configure get aws_access_key_id"],
        env={"PATH": f"{sysconfig.get_path('scripts')}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.strip() == found.id


def test_a_profile_takes_its_users_next_key_and_nobody_elses(run: Run, account: str) -> None:
    del account
    for name in ("ana", "bob"):
        done(run, "user", "create", name)
    home = load_settings()[0].home_path
    first = done(run, "key", "create", "ana", "--profile", "lake", "--days", "9")

    second = done(run, "key", "create", "ana", "--profile", "lake")

    assert "secret_access_key" not in first | second
    assert (first["expires_at"] is None, second["expires_at"]) == (False, None)
    assert second["use"] == [f". {home / 'aws.env'}", "export AWS_PROFILE=lake"]
    held = _profile(home, "lake")["aws_access_key_id"]
    assert held == second["access_key_id"] != first["access_key_id"]
    assert refused(run, "key", "create", "bob", "--profile", "lake")["code"] == "profile_exists"
    assert done(run, "key", "ls", "bob") == []
    assert _profile(home, "lake")["aws_access_key_id"] == held


@pytest.mark.parametrize("profile", ["uploader", "default", "a b", "x]\n[default"])
def test_no_key_is_made_for_a_profile_that_cannot_be_written(
    run: Run, account: str, profile: str
) -> None:
    del account
    done(run, "user", "create", "ana")

    assert "profile" in refused(run, "key", "create", "ana", "--profile", profile)["what"]

    assert done(run, "key", "ls", "ana") == []
    assert not (load_settings()[0].home_path / "aws").exists()


def test_a_key_that_cannot_be_kept_does_not_stay(run: Run, account: str) -> None:
    del account
    done(run, "user", "create", "ana")
    # A folder stands where the file of endpoints is to be written.
    (load_settings()[0].home_path / "aws.config").mkdir()

    with pytest.raises(IsADirectoryError):
        run("key", "create", "ana", "--profile", "ana")

    assert done(run, "key", "ls", "ana") == []


def test_groups_have_members_and_policies(run: Run, account: str) -> None:
    done(run, "user", "create", "ana")
    done(run, "group", "create", "analysts")
    done(run, "group", "policy", "analysts", file(EVERYTHING))
    done(run, "group", "add", "analysts", "ana")
    shown = done(run, "group", "show", "analysts")
    assert (shown["members"], shown["policy"]) == (["ana"], EVERYTHING)
    assert done(run, "user", "show", "ana")["groups"] == ["analysts"]
    assert [g["arn"] for g in done(run, "group", "ls")] == [arns.group_arn(account, "analysts")]
    done(run, "group", "remove", "analysts", "ana")
    assert done(run, "group", "show", "analysts")["members"] == []
    done(run, "group", "delete", "analysts", "--yes")
    done(run, "user", "policy", "ana", file(EVERYTHING))
    assert done(run, "user", "show", "ana")["policy"] == EVERYTHING
    done(run, "user", "delete", "ana", "--yes")
    assert done(run, "user", "ls") == []


def test_a_business_units_role_is_made_of_its_workgroup_and_its_output(
    run: Run, account: str
) -> None:
    trust = file(trusting(account), "trust.json")
    done(
        run, "role", "create", "bu-a", "--trust", trust,
        "--workgroup", "bu-a", "--output", "s3://results/bu-a/",
    )  # fmt: skip
    shown = done(run, "role", "show", "bu-a")
    statements = json.loads(shown["policy"])["Statement"]
    assert [s["Sid"] for s in statements] == ["Workgroup", "Output", "Data"]
    assert shown["trust"] == trusting(account)
    for words in (
        ["--workgroup", "bu-a"],
        ["--output", "s3://results/bu-a/"],
        ["--workgroup", "w", "--output", "s3://r/w/", "--policy", file(EVERYTHING)],
        ["--workgroup", "w", "--output", "s3://r/*/"],
    ):
        assert refused(run, "role", "create", "bu-b", "--trust", trust, *words)


def test_a_role_is_changed_listed_revoked_and_deleted(run: Run, account: str) -> None:
    trust = file(trusting(account), "trust.json")
    done(run, "role", "create", "etl", "--trust", trust, "--max-session", "7200")
    done(run, "role", "policy", "etl", file(EVERYTHING))
    done(run, "role", "trust", "etl", file(trusting(OTHER), "other.json"))
    shown = done(run, "role", "show", "etl")
    assert (shown["policy"], shown["trust"]) == (EVERYTHING, trusting(OTHER))
    assert [r["max_session_s"] for r in done(run, "role", "ls")] == [7200]
    assert done(run, "role", "sessions", "etl") == []
    assert done(run, "role", "revoke", "etl", "--yes") == {"revoked": 0}
    assert refused(run, "role", "revoke", "etl", "--key", "ASIA" + "A" * 16, "--yes")
    done(run, "role", "delete", "etl", "--yes")
    assert done(run, "role", "ls") == []


def test_issuers_are_added_listed_and_removed(run: Run, account: str) -> None:
    made = done(
        run, "issuer", "add", "okta", "https://example.okta.com", "--audience", "a",
        "--audience", "b", "--groups-claim", "teams",
    )  # fmt: skip
    assert made["arn"] == arns.issuer_arn(account, "okta")
    (row,) = done(run, "issuer", "ls")
    assert (row["audiences"], row["groups_claim"]) == (["a", "b"], "teams")
    trust = file(trusting_issuer(made["arn"], aud="a", teams=["x"]), "trust.json")
    done(run, "role", "create", "bu-a", "--trust", trust)
    done(run, "issuer", "remove", "okta", "--yes")
    assert done(run, "issuer", "ls") == []


def test_with_several_accounts_one_must_be_named(run: Run, account: str) -> None:
    done(run, "account", "create", "consumer", "--id", OTHER)
    assert "--account" in refused(run, "user", "create", "ana")["fix"]
    made = done(run, "user", "create", "ana", "--account", OTHER)
    assert made["arn"] == arns.user_arn(OTHER, "ana")
    assert done(run, "user", "ls", "--account", account) == []


def test_before_the_first_account_the_way_to_it_is_told(run: Run) -> None:
    assert "lakeveil up" in refused(run, "user", "ls")["fix"]
    out, talk, code = run("account", "ls")
    assert (out, code) == ("", 0)
    assert "lakeveil up" in talk


@pytest.mark.parametrize(
    "words",
    [
        ("user", "show", "nobody"),
        ("user", "create", "not a name"),
        ("user", "create", "ana", "--policy", "bad.json"),
        ("group", "add", "none", "ana"),
        ("key", "create", "nobody"),
        ("key", "ls", "nobody"),
        ("key", "delete", "LVIAAAAAAAAAAAAAAAAA", "--yes"),
        ("role", "show", "none"),
        ("role", "create", "r", "--trust", "bad.json"),
        ("role", "create", "r"),
        ("issuer", "add", "x", "http://example.com", "--audience", "a"),
        ("issuer", "add", "x", "https://example.com"),
        ("issuer", "remove", "none", "--yes"),
        ("account", "delete", "000000000000", "--yes"),
        ("account", "create", "x", "--id", "1"),
    ],
)
def test_a_wrong_request_is_refused_with_the_way_out(
    run: Run, account: str, words: tuple[str, ...]
) -> None:
    del account
    file(policy({**allow(), "Condition": {}}), "bad.json")
    assert refused(run, *words)


@pytest.mark.parametrize(
    "words", [("user", "delete", "ana"), ("account", "delete", ACCOUNT), ("role", "delete", "r")]
)
def test_nothing_is_deleted_without_asking(run: Run, account: str, words: tuple[str, ...]) -> None:
    del account
    done(run, "user", "create", "ana")
    assert "--yes" in refused(run, *words)["what"]


def test_what_goes_along_is_told_before_and_put_on_record_after(run: Run, account: str) -> None:
    done(run, "user", "create", "ana")
    ana = arns.user_arn(account, "ana")
    file(trusting(ana), "trust.json")
    done(run, "role", "create", "etl", "--trust", "trust.json")
    with open_identity(load_settings()[0], writer="test") as identity:
        number = identity.store.directory.user(account, "ana").id
    _grant(account, ana)

    asked = refused(run, "user", "delete", "ana")["what"]
    assert (
        "with its keys and sessions? It takes along: grants: 1 (g1); trusted by roles: 1" in asked
    )
    gone = done(run, "user", "delete", "ana", "--yes")

    assert gone == {"deleted": ana, "took_along": {"grants": 1, "trusted by roles": 1}}
    assert number in done(run, "role", "show", "etl")["trust"]
    with open_audit(load_settings()[0], writer="test") as audit:
        details = [
            r.event.detail
            for r in (entry.record for entry in audit.trail.entries())
            if r is not None and r.intent is not None and r.event.action == "iam:DeleteUser"
        ]
    assert details == [
        {
            "took_along": {
                "unique_id": number,
                "grants": {"count": 1, "which": ["g1"]},
                "trusted by roles": {"count": 1, "which": [arns.role_arn(account, "etl")]},
            }
        }
    ]


@pytest.mark.parametrize(
    ("kind", "identifier"),
    [
        ("group", arns.group_arn(ACCOUNT, "g")),
        ("role", arns.role_arn(ACCOUNT, "g")),
        ("issuer", arns.federated_group_arn(ACCOUNT, "g", "crew")),
    ],
)
def test_groups_roles_and_issuers_take_their_grants_along(
    run: Run, account: str, kind: str, identifier: str
) -> None:
    make = {
        "group": ("create", "g"),
        "role": ("create", "g", "--trust", file(trusting(OTHER), "trust.json")),
        "issuer": ("add", "g", "https://example.okta.com", "--audience", "a"),
    }[kind]
    away = "remove" if kind == "issuer" else "delete"
    done(run, kind, *make)
    _grant(account, identifier)
    assert "grants: 1 (g1)" in refused(run, kind, away, "g")["what"]
    assert done(run, kind, away, "g", "--yes")["took_along"] == {"grants": 1}
    done(run, kind, *make)
    assert done(run, kind, away, "g", "--yes")["took_along"] == {}


def test_an_account_takes_along_what_was_granted_to_it(run: Run, account: str) -> None:
    done(run, "account", "create", "other", "--id", OTHER)
    _grant(account, OTHER)
    assert "grants: 1 (g1)" in refused(run, "account", "delete", OTHER)["what"]
    gone = done(run, "account", "delete", OTHER, "--yes")
    assert gone == {"deleted": OTHER, "took_along": {"grants": 1}}


def test_every_change_is_on_record_and_refusals_too(run: Run, account: str) -> None:
    done(run, "user", "create", "ana")
    refused(run, "user", "create", "ana")
    done(run, "key", "create", "ana")
    with open_audit(load_settings()[0], writer="test") as audit:
        found = [
            (r.event.action, r.event.outcome.value, r.event.error_code, r.event.resource)
            for r in (entry.record for entry in audit.trail.entries(principal="local:*"))
            if r is not None and r.intent is not None
        ]
    ana = arns.user_arn(account, "ana")
    assert sorted(found) == [
        ("iam:CreateAccessKey", "done", "", ana),
        ("iam:CreateAccount", "done", "", account),
        ("iam:CreateUser", "done", "", ana),
        ("iam:CreateUser", "failed", "conflict", ana),
    ]


def _profile(home: Path, name: str) -> dict[str, str]:
    found = configparser.RawConfigParser(default_section="")
    found.read(home / "aws")
    return dict(found[name])


def _on_record() -> str:
    with open_audit(load_settings()[0], writer="test") as audit:
        return "".join(str(entry) for entry in audit.trail.entries())


def _grant(account: str, principal: str) -> None:
    engine = open_database(load_settings()[0].database_url)
    with open_lake(engine).changing() as change:
        change.put_grant(
            Grant(
                id="",
                account=account,
                principal=principal,
                resource=OnTable(account, "ads", "events"),
                permissions=frozenset({Permission.SELECT}),
            )
        )
    engine.dispose()
