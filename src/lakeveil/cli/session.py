"""What every command shares: settings, data to stdout, talk to stderr, `--json` everywhere."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click

from lakeveil.settings import Origins, Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])
Row = Mapping[str, Any]


class Session:
    """One invocation of the command line."""

    def __init__(
        self, *, config_file: Path | None = None, as_json: bool = False, progress: bool = True
    ) -> None:
        self.config_file = config_file
        self.as_json = as_json
        self.progress = progress and sys.stderr.isatty()

    @cached_property
    def _loaded(self) -> tuple[Settings, Origins]:
        return load_settings(self.config_file, os.environ)

    @property
    def settings(self) -> Settings:
        """The settings, read on first use."""
        return self._loaded[0]

    @property
    def origins(self) -> Origins:
        """Where each setting came from."""
        return self._loaded[1]

    def emit(self, document: Any) -> None:
        """One document to stdout: JSON with `--json`, else `name  value` lines."""
        if self.as_json:
            print(json.dumps(document, indent=2, default=str, ensure_ascii=False))
            return
        if isinstance(document, Mapping):
            width = max((len(str(k)) for k in document), default=0)
            for key, value in document.items():
                print(f"{key!s:<{width}}  {_cell(value)}")
        else:
            print(_cell(document))

    def emit_rows(self, rows: Iterable[Row], columns: Sequence[str], *, empty: str = "") -> None:
        """Rows to stdout: a JSON list, a table on a terminal, tab-separated values in a pipe.

        `empty` goes to stderr when there are none: it says what to do next.
        """
        every = list(rows)
        if self.as_json:
            print(json.dumps(every, indent=2, default=str, ensure_ascii=False))
            return
        if not every:
            self.say(empty or "nothing to show")
            return
        if sys.stdout.isatty():
            self._table(every, columns)
            return
        print("\t".join(columns))
        for row in every:
            print("\t".join(_cell(row.get(c)) for c in columns))

    def emit_line(self, document: Row, text: str) -> None:
        """One event of a stream: a JSON line with `--json`, else `text`."""
        print(json.dumps(document, default=str) if self.as_json else text, flush=True)

    def say(self, text: str) -> None:
        """Talk, to stderr."""
        click.echo(text, err=True)

    def fail(self, error: Mapping[str, str]) -> None:
        """An error, to stderr: what, why, fix."""
        if self.as_json:
            click.echo(json.dumps({"error": dict(error)}, ensure_ascii=False), err=True)
            return
        label = "error:"
        if _colour(sys.stderr):
            label = click.style(label, fg="red", bold=True)
        click.echo(f"{label} {error['what']}", err=True, color=_colour(sys.stderr))
        for part in ("why", "fix"):
            if error.get(part):
                click.echo(f"  {part}: {error[part]}", err=True)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something that cannot be undone; `--yes` answers, a pipe refuses.

        Raises:
            click.UsageError: there is no terminal to ask on, and no `--yes`.
            click.Abort: the answer was no.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            raise click.UsageError(f"{question} Pass --yes to confirm without a terminal.")
        click.confirm(question, abort=True, err=True)

    def _table(self, rows: list[Row], columns: Sequence[str]) -> None:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(_cell(row.get(c)) for c in columns))
        Console(no_color=not _colour(sys.stdout)).print(table)


def json_option(function: F) -> F:
    """`--json` on the subcommand itself, so that it may stand anywhere on the line."""

    def remember(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
        if value:
            ctx.ensure_object(Session).as_json = True

    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="One JSON document on stdout.",
    )(function)


def _colour(stream: Any) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    # Keys may hold anything: a tab or an escape sequence must not reach the terminal.
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(value))
