"""The `lakeveil` command: global flags, lazily loaded subcommands, errors into exit codes.

Exit codes: 0 done, 1 failed, 2 wrong usage, 5 refused by policy, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from lakeveil import __version__
from lakeveil.cli.session import Session
from lakeveil.errors import LakeveilError

# Name -> module below lakeveil.cli that holds a click command called `command`, and one line of
# help: `lakeveil --help` then imports nothing else.
COMMANDS = {
    "up": ("up", "Run the whole stack on this machine until Ctrl-C."),
    "photo": ("photo", "List, show, retry, release, redact and withdraw photos."),
    "review": ("review", "Look at a random share of releases; estimate the miss rate."),
    "backfill": ("backfill", "Send the photos that are already in a bucket through the pipeline."),
    "blur": ("blur", "Redact files or folders here, with no server."),
    "detect": ("detect", "Show the faces found in files, with no server."),
    "grant": ("grant", "Grant access, through a mask or until a day."),
    "why": ("why", "Explain what somebody sees, and the smallest change that shows more."),
    "access": ("access", "Show who sees what; see what a change would do; ask for access."),
    "identity": ("identity", "Accounts, users, groups, roles, keys and issuers: who calls."),
    "workgroup": ("workgroup", "Show the workgroups, and what their queries cost."),
    "audit": ("audit", "Show the audit log and verify it; erase what it keeps encrypted."),
    "api": ("api", "Print the model of Lakeveil's own API, for AWS clients."),
    "queue": ("queue", "Show the queue and its dead letters; redrive them."),
    "models": ("models", "Install and check the face detectors' weights."),
    "config": ("config", "Show each setting and where it came from."),
    "doctor": ("doctor", "Check everything this installation needs."),
    "lambda": ("lambda_", "Run the AWS Lambda handler on a sample event."),
    "serve": ("serve", "Run the HTTP server alone."),
    "run": ("run", "Run one part of the stack (what `up` starts)."),
    "completions": ("completions", "Print a completion script for your shell."),
}
HIDDEN = {"run"}


class _Lazy(click.Group):
    """Imports a subcommand's module only when it is used or its own help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [name for name in COMMANDS if name not in HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"lakeveil.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, COMMANDS[name][1]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="lakeveil")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Settings file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--no-progress", is_flag=True, help="Never draw progress.")
@click.pass_context
def main(ctx: click.Context, config_file: Path | None, *, as_json: bool, no_progress: bool) -> None:
    """A private data lake you run yourself.

    Photos are released with their faces gone; of tables everybody sees what tags allow.

    \b
    Examples:
      lakeveil up                      run everything here, on loopback
      lakeveil blur party.jpg -o out/  redact one file, with no server
      lakeveil why ana ads.events      what ana sees of a table, and why
    """
    ctx.obj = Session(config_file=config_file, as_json=as_json, progress=not no_progress)


def run(argv: list[str] | None = None) -> NoReturn:
    """Entry point: run the command, print errors as the conventions want, exit."""
    # A reader that closes the pipe (head) ends us quietly, as with any Unix tool.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(invoke(sys.argv[1:] if argv is None else argv))


def invoke(argv: list[str]) -> int:  # noqa: PLR0911 - one return for each way to end
    """Run one command line; returns its exit code. Errors are written to stderr."""
    session = Session(as_json="--json" in argv)
    try:
        result: Any = main.main(args=argv, prog_name="lakeveil", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        session.say("interrupted")
        return 130
    except KeyboardInterrupt:
        session.say("interrupted")
        return 130
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "lakeveil"
        session.fail(
            {
                "code": "usage_error",
                "what": error.format_message(),
                "why": "",
                "fix": f"see `{command} --help`",
            }
        )
        return 2
    except click.ClickException as error:
        session.fail({"code": "failed", "what": error.format_message(), "why": "", "fix": ""})
        return error.exit_code
    except LakeveilError as error:
        session.fail(error.as_dict())
        if os.environ.get("LAKEVEIL_TRACEBACK"):
            raise
        return error.exit_code
