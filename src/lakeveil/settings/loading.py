"""Settings: defaults, then `lakeveil.toml`, then the environment; each value keeps its origin.

An environment variable is `LAKEVEIL_` and the dotted name in capitals with `__` between the
levels: `LAKEVEIL_PORTS__S3=9000`. `LAKEVEIL_COLLECTIONS` takes the whole list as JSON.
Unknown names are refused, in the file and in the environment: a typo never goes unnoticed.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from lakeveil.core.photos import RedactionPolicy
from lakeveil.errors import UsageError
from lakeveil.settings.tree import CollectionSettings, Settings

ENV_PREFIX = "LAKEVEIL_"
FILE_NAME = "lakeveil.toml"
# Read by other parts of Lakeveil, or by the tools around it; not settings.
_OTHER_ENV = {"LAKEVEIL_CONFIG"}


class Origins(dict[str, str]):
    """Dotted name -> where its value came from; names that are not here are defaults."""

    def of(self, name: str) -> str:
        """`default`, `lakeveil.toml` or `env NAME`."""
        return self.get(name) or next(
            (o for known, o in self.items() if name.startswith(f"{known}.")), "default"
        )


def load_settings(
    file: Path | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Settings, Origins]:
    """Read `file` (default: LAKEVEIL_CONFIG or ./lakeveil.toml, if there) and the environment.

    Raises:
        UsageError: an unknown name, a value of the wrong type, values that do not fit together, or
            a file that is no TOML.
    """
    environ = environ or {}
    origins = Origins()
    tree: dict[str, Any] = {}
    path = file or Path(environ.get("LAKEVEIL_CONFIG") or FILE_NAME)
    if path.exists():
        tree = _read_toml(path)
        _refuse_unknown(tree, Settings, path.name)
        origins.update(dict.fromkeys(_leaves(tree), path.name))
    elif file is not None or "LAKEVEIL_CONFIG" in environ:
        raise UsageError(
            f"there is no settings file `{path}`",
            why="it was named explicitly",
            fix="correct the path, or leave it out to use defaults",
        )
    _convert(tree, path.name)
    for variable, text in sorted(environ.items()):
        if variable.startswith(ENV_PREFIX) and variable not in _OTHER_ENV:
            name = _apply_environment(tree, variable, text)
            origins[name] = f"env {variable}"
    settings = _convert(tree, "the environment")
    settings.photo_collections()
    settings.store_keys()
    return settings, origins


def setting_rows(settings: Settings, origins: Origins) -> Iterator[dict[str, Any]]:
    """One row per value: `name`, `value`, `origin`; what `lakeveil config show` prints."""
    for name, value in _leaves(msgspec.to_builtins(settings)).items():
        yield {"name": name, "value": value, "origin": origins.of(name)}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"`{path}` is not a valid settings file",
            why=str(error),
            fix="correct it at that place; it must be TOML in UTF-8",
        ) from error


def _convert(tree: Mapping[str, Any], where: str) -> Settings:
    try:
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        name = path.rstrip("`").lstrip(".") or "the file"
        raise UsageError(
            f"`{name}` in {where} has a wrong value",
            why=message,
            fix="see docs/reference/settings.md, or `lakeveil config show`",
        ) from error


def _apply_environment(tree: dict[str, Any], variable: str, text: str) -> str:
    keys = variable.removeprefix(ENV_PREFIX).lower().split("__")
    kind: Any = Settings
    for i, key in enumerate(keys):
        fields = _fields(kind)
        if key not in fields:
            raise _unknown(
                variable, ".".join([*keys[:i], key]), [".".join([*keys[:i], f]) for f in fields]
            )
        kind = fields[key]
    if _fields(kind):
        raise UsageError(
            f"`{variable}` names a group of settings",
            why=f"`{'.'.join(keys)}` has no value of its own",
            fix=f"set a member of it, such as `{variable}__{next(iter(_fields(kind))).upper()}`",
        )
    node = tree
    for key in keys[:-1]:
        node = node.setdefault(key, {})
    node[keys[-1]] = _parse(variable, text) if "tuple" in str(kind) else text
    if keys == ["collections"]:
        _refuse_unknown({"collections": node["collections"]}, Settings, variable)
    return ".".join(keys)


def _parse(variable: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"`{variable}` is not valid JSON", why=str(error), fix="give a JSON list"
        ) from error


def _refuse_unknown(tree: Mapping[str, Any], kind: Any, where: str, path: str = "") -> None:
    fields = _fields(kind)
    for key, value in tree.items():
        if key not in fields:
            raise _unknown(where, f"{path}{key}", [f"{path}{f}" for f in fields])
        inner = CollectionSettings if f"{path}{key}" == "collections" else fields[key]
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping) and _fields(inner):
                _refuse_unknown(item, inner, where, f"{path}{key}.")


def _unknown(where: str, name: str, known: list[str]) -> UsageError:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(sorted(known))}"
    return UsageError(
        f"`{name}` in {where} is not a setting", why="unknown names are refused", fix=hint
    )


def _fields(kind: Any) -> dict[str, Any]:
    """Field name -> type, for our settings structs and the policy; {} for plain values."""
    if kind is RedactionPolicy or (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return get_type_hints(kind)
    return {}


def _leaves(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found.update(_leaves(value, f"{path}{key}."))
        elif isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
            for item in value:
                found.update(_leaves(item, f"{path}{key}.{item.get('name', '?')}."))
        else:
            found[f"{path}{key}"] = value
    return found
