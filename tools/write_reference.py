"""Write docs/reference/{api,cli,settings,sql}.md from the code; `--check` compares them."""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
from pathlib import Path
from typing import Any, get_type_hints

import click
import msgspec
from botocore.model import OperationModel, Shape, StructureShape

from lakeveil.aws.protocol import load_model
from lakeveil.cli.main import main as cli
from lakeveil.core import photos as photos_module
from lakeveil.core.photos import RedactionPolicy
from lakeveil.settings import CollectionSettings, Settings
from lakeveil.settings import tree as settings_module
from lakeveil.sql.functions import FUNCTIONS, Function

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTICE = "<!-- Written by `make docs` from the code. -->\n\n"


def main() -> None:
    """Write the pages, or compare them."""
    pages = {"api.md": _api(), "cli.md": _cli(), "settings.md": _settings(), "sql.md": _sql()}
    stale = []
    for name, text in pages.items():
        path = REFERENCE / name
        if "--check" in sys.argv:
            if not path.exists() or path.read_text("utf-8") != text:
                stale.append(name)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    if stale:
        sys.exit(f"docs/reference/{', '.join(stale)} no longer match the code: run `make docs`")


def _cli() -> str:
    lines = [
        NOTICE + "# Command line\n",
        (
            "Data goes to stdout, talk to stderr. `--json` works on every command: one document, "
            "or one line per event where something is followed. In a pipe, tables are "
            "tab-separated.\n"
        ),
        "| Exit code | Meaning |",
        "|---|---|",
        "| 0 | done |",
        "| 1 | failed |",
        "| 2 | wrong usage |",
        "| 5 | refused by policy |",
        "| 130 | interrupted |\n",
        "`NO_COLOR` switches colours off. `lakeveil completions` prints a completion script.\n",
        "\n".join(_command(cli, "lakeveil")),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _command(command: click.Command, path: str) -> list[str]:
    ctx = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(ctx))
    text = inspect.cleandoc(command.help or "").replace("\b\n", "\n")
    lines = [f"## `{path}`\n", f"```text\n{path} {usage}\n```\n", _examples(text), ""]
    options = [p for p in command.get_params(ctx) if isinstance(p, click.Option)]
    rows = [f"| `{', '.join(o.opts)}` | {o.help or ''} |" for o in options if not o.hidden]
    if rows:
        lines += ["| Option | |", "|---|---|", *rows, ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            if found is not None and not found.hidden:
                lines += _command(found, f"{path} {name}")
    return lines


def _examples(text: str) -> str:
    """Click's examples are indented below a line that ends in a colon: fence them."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        if line.startswith("  ") and not fenced:
            lines, fenced = [*lines, "", "```text"], True
        if fenced and not line.startswith("  "):
            lines, fenced = [*lines, "```"], False
        lines.append(line.strip() if not fenced else line.removeprefix("  "))
    return "\n".join([*lines, "```"] if fenced else lines)


def _api() -> str:
    model = load_model("lakeveil")
    operations = [model.operation_model(name) for name in model.operation_names]
    shared = {
        shape.name: shape
        for operation in operations
        for top in (operation.input_shape, operation.output_shape)
        for shape in _below(top)
    }
    lines = [
        NOTICE + "# Lakeveil's own API\n",
        _plain(model.documentation) + "\n",
        (
            "The protocol is AWS JSON 1.1, requests are signed with SigV4 for the service "
            f"`{model.signing_name}`. How AWS clients are given the model: "
            "[Call Lakeveil's own API](../how-to/call-lakeveils-own-api.md).\n"
        ),
        "## Operations\n",
        *(line for operation in operations for line in _operation(operation)),
        "## Values\n",
        *(line for name in sorted(shared) for line in _structure(f"### {name}", shared[name])),
        "## Errors\n",
        "| Code | HTTP status | |",
        "|---|---|---|",
        *(
            f"| `{e.name}` | {e.metadata['error']['httpStatusCode']} | {_plain(e.documentation)} |"
            for e in sorted(model.error_shapes, key=lambda e: str(e.name))
        ),
        "\nBeside its message an error has a stable `Reason` for programs, and a `Fix`.",
    ]
    return "\n".join(lines).rstrip() + "\n"


def _operation(operation: OperationModel) -> list[str]:
    errors = ", ".join(f"`{shape.name}`" for shape in operation.error_shapes)
    return [
        f"### {operation.name}\n",
        _plain(operation.documentation) + "\n",
        *_structure("**Takes**", operation.input_shape),
        *_structure("**Answers**", operation.output_shape),
        f"**Errors** {errors}\n",
    ]


def _structure(title: str, shape: StructureShape) -> list[str]:
    if not shape.members:
        return [f"{title} nothing\n"]
    rows = [
        f"| `{name}`{' (required)' if name in shape.required_members else ''} "
        f"| {_type(member)} | {_plain(member.documentation)} |"
        for name, member in shape.members.items()
    ]
    return [f"{title}\n", "| Member | Type | |", "|---|---|---|", *rows, ""]


def _below(shape: Shape) -> list[Shape]:
    """The structures within a shape."""
    if shape.type_name == "list":
        within = [shape.member]
    else:
        within = list(shape.members.values()) if shape.type_name == "structure" else []
    found = [one for one in within if one.type_name == "structure"]
    return [*found, *(deeper for one in within for deeper in _below(one))]


def _type(shape: Shape) -> str:
    if shape.type_name == "structure":
        return f"[{shape.name}](#{shape.name.lower()})"
    if shape.type_name == "list":
        return f"list of {_type(shape.member)}"
    if words := shape.metadata.get("enum"):
        return ", ".join(f"`{word}`" for word in words)
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is None:
        return str(shape.type_name)
    size = f"{most}" if least == most else f"{least} to {most}"
    unit = " characters" if shape.type_name == "string" else ""
    return f"{shape.type_name}, {size}{unit}"


def _plain(html: str) -> str:
    """The documentation of a model, as Markdown."""
    for mark, text in {"<p>": "", "</p>": "", "<code>": "`", "</code>": "`"}.items():
        html = html.replace(mark, text)
    return html


def _settings() -> str:
    lines = [
        NOTICE + "# Settings\n",
        (
            "`lakeveil.toml` in the working directory (or `--config`, or `LAKEVEIL_CONFIG`), "
            "overridden by the environment: `LAKEVEIL_` and the name in capitals, with `__` for "
            "each dot. `LAKEVEIL_COLLECTIONS` takes the whole list as JSON. Unknown names are "
            "refused. "
            "`lakeveil config show` prints each value and where it came from.\n"
        ),
        _table(Settings, "", skip={"collections"}),
    ]
    for name, kind in get_type_hints(Settings).items():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            lines += [f"\n## `[{name}]`\n", _doc(kind), "", _table(kind, f"{name}.")]
    lines += [
        "\n## `[[collections]]`\n",
        _doc(CollectionSettings),
        "",
        _table(CollectionSettings, "", skip={"policy"}),
        "\n### `[collections.policy]`\n",
        _doc(RedactionPolicy),
        "",
        _table(RedactionPolicy, ""),
    ]
    return "\n".join(lines).rstrip() + "\n"


_SQL = """\
Queries are written in Athena's SQL (engine version 3), which is Trino's. A function runs only if
it is in this table; whatever else the engine has does not exist. Each supported function is
tested against what Trino's reference says of it: the examples are in
[`conformance/sql`](../../conformance/sql/README.md).

| Status | |
|---|---|
| supported | answers as Trino does |
| approximate | answers as the note says |
| refused | Trino has it; here it is an error, never another answer |

In a signature a capital letter is any type, the same one wherever it stands again; `N` is a
number, `I` an integer, `D` a decimal; `whole(D)` and such are decimals whose digits follow from
those of `D`. `timestamptz` is `timestamp with time zone`.

## Where we differ from Trino

- The session's zone is UTC. Values keep no other: `AT TIME ZONE` is for what formats, casts or
  takes parts.
- `CURRENT_TIMESTAMP` and its like are the engine's time when the query starts, in milliseconds.
- Integers are divided to integers, by zero is an error, decimals stay exact; a quotient of
  decimals whose digits do not fit into 128 bits on the way is an error.
- NaN equals NaN and is the largest number.
- JSON keeps the order of its keys, and is not compared. Its paths are names and subscripts.
- Rows are compared and cast by position; those with other names of fields do not mix.
- Casts that are not reproduced are errors: to `char`, from or to nested types that hold times.
- Regular expressions are RE2's: what they do not have is an error in a constant pattern.
- A query whose expressions grow beyond 100,000 parts, as divisions of divisions of decimals do,
  is an error.

## Dropping tables

`DROP TABLE` of a table over files leaves them. An Iceberg table that a statement made (`CREATE
TABLE`, `CREATE TABLE AS`) takes its own files along: all that lies under its location. They stay if
whoever drops it may not delete from it, if another table lies in that location or around it, and
if the table was registered by a client or its definition replaced by one.
"""


def _sql() -> str:
    lines = [NOTICE + "# SQL\n", _SQL]
    for category, rows in itertools.groupby(FUNCTIONS, key=lambda row: row.category):
        lines += [f"## {category}\n", "| Function | Status | |", "|---|---|---|"]
        lines += [_function(row) for row in sorted(rows, key=lambda row: row.name)]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _function(row: Function) -> str:
    calls = [f"`{row.name}{overload.text}`" for overload in row.overloads] or [f"`{row.name}`"]
    notes = [f"also `{'`, `'.join(row.aliases)}`"] if row.aliases else []
    notes += [row.note] if row.note else []
    shown = "<br>".join(calls).replace("|", "\\|")
    return f"| {shown} | {row.status} | {'; '.join(notes)} |"


def _table(kind: type, prefix: str, *, skip: set[str] | None = None) -> str:
    defaults = kind() if kind is not CollectionSettings else None
    notes = _field_docs(kind)
    rows = ["| Name | Default | |", "|---|---|---|"]
    for name, hint in get_type_hints(kind).items():
        if name in (skip or set()):
            continue
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            continue
        default = _default(kind, name) if defaults is None else getattr(defaults, name)
        rows.append(f"| `{prefix}{name}` | {_shown(default)} | {notes.get(name, '')} |")
    return "\n".join(rows)


def _default(kind: type, name: str) -> Any:
    field = next(f for f in msgspec.structs.fields(kind) if f.name == name)
    return field.default if field.default is not msgspec.NODEFAULT else None


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return f"`{list(value)}`".replace("'", '"')
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _doc(kind: type) -> str:
    return inspect.cleandoc(kind.__doc__ or "").replace("\n\n", "\n")


def _field_docs(kind: type) -> dict[str, str]:
    """Field name -> the string below it; Python keeps these in the source only."""
    module = photos_module if kind is RedactionPolicy else settings_module
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    body = next(
        n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == kind.__name__
    )
    found = {}
    for field, below in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(below.value.value).split())
    return found


if __name__ == "__main__":
    main()
