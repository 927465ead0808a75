"""The command line keeps its promises: streams, exit codes, --json, help."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lakeveil.cli.main import COMMANDS, HIDDEN
from tests.command_line import lakeveil, lakeveil_process


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in HIDDEN])
def test_every_command_explains_itself(command: str, tmp_path: Path) -> None:
    done = lakeveil(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: lakeveil {command}")
    assert "\\b" not in done.stdout
    assert not list(tmp_path.iterdir())


def test_help_lists_every_command_without_the_hidden_ones(tmp_path: Path) -> None:
    done = lakeveil_process("--help", cwd=tmp_path)
    for name in COMMANDS:
        assert (f"\n  {name} " in done.stdout) == (name not in HIDDEN)


def test_wrong_usage_exits_2_and_says_what_to_do(tmp_path: Path) -> None:
    done = lakeveil_process("photo", "frobnicate", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'frobnicate'" in done.stderr
    assert "fix: see `lakeveil photo --help`" in done.stderr


def test_errors_say_what_why_and_fix(tmp_path: Path) -> None:
    done = lakeveil("photo", "show", "none.jpg", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing is known of `none.jpg`" in done.stderr
    assert "\n  why: " in done.stderr
    assert "\n  fix: " in done.stderr


def test_errors_are_json_on_stderr_where_asked_for(tmp_path: Path) -> None:
    done = lakeveil("photo", "show", "none.jpg", "--json", cwd=tmp_path)
    assert done.stdout == ""
    error = json.loads(done.stderr)["error"]
    assert error["code"] == "not_found"
    assert set(error) == {"code", "what", "why", "fix"}


def test_an_empty_list_is_an_empty_json_list_and_a_hint_for_people(tmp_path: Path) -> None:
    assert json.loads(lakeveil("photo", "ls", "--json", cwd=tmp_path).stdout) == []
    people = lakeveil("photo", "ls", cwd=tmp_path)
    assert people.stdout == ""
    assert "no photos yet" in people.stderr


def test_a_misspelt_setting_is_refused_with_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "lakeveil.toml").write_text("[worker]\nbatchsize = 2\n")
    done = lakeveil("config", "show", cwd=tmp_path)
    assert done.returncode == 2
    assert "`worker.batchsize` in lakeveil.toml is not a setting" in done.stderr
    assert "did you mean `worker.batch_size`?" in done.stderr


def test_a_misspelt_variable_is_refused(tmp_path: Path) -> None:
    done = lakeveil("config", "show", cwd=tmp_path, LAKEVEIL_WORKER__BATCHSIZE="2")
    assert done.returncode == 2
    assert "LAKEVEIL_WORKER__BATCHSIZE" in done.stderr


def test_config_show_says_where_each_value_came_from(tmp_path: Path) -> None:
    (tmp_path / "lakeveil.toml").write_text(
        '[worker]\nbatch_size = 3\ntimeout_s = 9\n[[collections]]\nname = "p"\n'
        'source = "s3://in"\nrelease = "s3://out"\n[collections.policy]\nstyle = "fill"\n'
    )
    done = lakeveil("config", "show", "--json", cwd=tmp_path, LAKEVEIL_WORKER__TIMEOUT_S="7")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["worker.batch_size"] == {
        "name": "worker.batch_size", "value": 3, "origin": "lakeveil.toml",
    }  # fmt: skip
    assert rows["worker.timeout_s"]["value"] == 7.0
    assert rows["worker.timeout_s"]["origin"] == "env LAKEVEIL_WORKER__TIMEOUT_S"
    assert rows["ports.s3"]["origin"] == "default"
    assert rows["collections.p.policy.style"]["value"] == "fill"


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[worker", "is not a valid settings file"),
        ("[worker]\nbatch_size = 'many'", "worker.batch_size"),
        ('[[collections]]\nname="a"\nsource="s3://x"\nrelease="s3://x"', "would feed itself"),
        ('[[collections]]\nname="a"\nsource="in"\nrelease="s3://x"', "s3://bucket/prefix/"),
        (
            '[[collections]]\nname="a"\nsource="s3://i"\nrelease="s3://o/deep"',
            "releases into a prefix",
        ),
        (
            '[[collections]]\nname="a"\nsource="s3://i"\nrelease="s3://o"\npolicy={blocks=80}',
            "blocks",
        ),
    ],
)
def test_bad_settings_are_refused_before_anything_starts(
    tmp_path: Path, toml: str, says: str
) -> None:
    (tmp_path / "lakeveil.toml").write_text(toml)
    done = lakeveil("up", cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / ".lakeveil").exists()


def test_a_settings_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    done = lakeveil("--config", "none.toml", "config", "show", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no settings file" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_printed_for_every_shell(tmp_path: Path, shell: str) -> None:
    done = lakeveil("completions", shell, cwd=tmp_path)
    assert done.returncode == 0
    assert "_LAKEVEIL_COMPLETE" in done.stdout


def test_nothing_is_coloured_in_a_pipe(tmp_path: Path) -> None:
    piped = lakeveil_process("photo", "show", "none", cwd=tmp_path)
    assert (piped.returncode, "\x1b" in piped.stderr) == (1, False)
    assert "\x1b" in lakeveil("photo", "show", "none", cwd=tmp_path, FORCE_COLOR="1").stderr
    both = lakeveil("photo", "show", "none", cwd=tmp_path, FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b" not in both.stderr


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    line = f"{sys.executable} -m lakeveil config show | head -1"
    done = subprocess.run(
        ["bash", "-c", line], check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr == ""


def test_doctor_exits_1_and_names_the_fix_where_something_is_missing(tmp_path: Path) -> None:
    done = lakeveil("doctor", "--json", cwd=tmp_path)
    rows = {row["check"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert rows["python"]["ok"]
    assert not rows["credentials"]["ok"]
    assert rows["credentials"]["fix"] == "lakeveil up"
