"""`lakeveil completions`: the script that makes a shell complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from lakeveil.cli.session import json_option


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a completion script for SHELL.

    \b
    Examples:
      lakeveil completions bash >> ~/.bashrc
      lakeveil completions fish > ~/.config/fish/completions/lakeveil.fish
    """
    kind = get_completion_class(shell)
    root = ctx.find_root()
    if kind is None:  # pragma: no cover - click knows the three shells
        raise click.UsageError(f"click has no completion for {shell}")
    script = kind(root.command, {}, "lakeveil", "_LAKEVEIL_COMPLETE").source()
    if ctx.obj.as_json:
        ctx.obj.emit({"shell": shell, "script": script})
    else:
        print(script)
