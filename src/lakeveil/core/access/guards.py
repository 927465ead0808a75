"""Name guards: columns of certain names inherit no value of a key, and must be tagged themselves.

Whoever tags by name misses the spelling that nobody thought of (`ipaddress` beside `ip_address`).
So here a name never gives a column anything. A guard only takes away: a column whose name
resembles the pattern carries no inherited value of the key, no expression that asks for the key
matches it, and it stays closed until somebody tags that very column. Expressions have no negation,
so carrying less can never open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lakeveil.core.access.tags import WITHHELD, TagLayers, Tags


@dataclass(frozen=True, slots=True, order=True)
class NameGuard:
    """Columns whose names resemble `pattern` (`*`, `?`) must carry their own value of `key`."""

    pattern: str
    key: str


def resembles(name: str, pattern: str) -> bool:
    """Whether a name is the pattern's, whatever its case and separators.

    >>> [resembles(name, "ip_addr*") for name in ("IPAddress", "ip-addr", "ship_address")]
    [True, True, False]
    """
    return fnmatchcase(_plain(name), _plain(pattern, keep="*?"))


def guarded(layers: TagLayers, columns: Iterable[str], guards: Iterable[NameGuard]) -> TagLayers:
    """The layers with `WITHHELD` wherever a guard keeps a column from inheriting."""
    every = tuple(guards)
    if not every:
        return layers
    explicit: dict[str, Tags] = dict(layers.columns)
    for column in columns:
        own = layers.columns.get(column, {})
        keys = {g.key for g in every if g.key not in own and resembles(column, g.pattern)}
        if keys:
            explicit[column] = {**own, **dict.fromkeys(sorted(keys), WITHHELD)}
    return TagLayers(
        catalog=layers.catalog, database=layers.database, table=layers.table, columns=explicit
    )


def shown(tags: Tags) -> Mapping[str, str]:
    """The tags that people see: what is withheld is no tag.

    >>> shown({"class": WITHHELD, "owner": "internal"})
    {'owner': 'internal'}
    """
    return {key: value for key, value in tags.items() if value != WITHHELD}


def _plain(text: str, keep: str = "") -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum() or sign in keep)
