"""LF-Tags: the ontology, what is assigned where, and which expression matches.

A key has allowed values; a resource carries at most one value of a key. The effective value of a
key is the nearest explicit one, going column, table, database, catalog, for each key by itself
(Lake Formation developer guide, "Lake Formation tag-based access control"). Keys and values are
compared in lower case, as the service stores them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ANY = "*"
"""In an expression: any value of the key, present or future. A resource cannot carry it."""

WITHHELD = "\0"
"""What a column carries in place of a value that a name guard keeps it from inheriting. Nothing
matches it, `*` neither, and nobody can assign or grant it."""

Tags = Mapping[str, str]
"""Key -> value, both folded: what one resource carries, or what holds for it."""

NO_TAGS: Tags = {}


def fold(text: str) -> str:
    """A key or value as it is stored and compared.

    >>> fold("Non-Private")
    'non-private'
    """
    return text.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class LFTag:
    """A key of the ontology and the values it may take. `created_by` is a principal's ARN."""

    account: str
    key: str
    values: frozenset[str]
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Expression:
    """A conjunction over keys of disjunctions over values; a key's values are never empty.

    There is no negation and no deny: several grants are the only "or" between keys.
    """

    terms: tuple[tuple[str, frozenset[str]], ...]

    def __post_init__(self) -> None:
        # A conjunction of nothing would match everything.
        if not self.terms or not all(values for _, values in self.terms):
            raise ValueError(
                "an expression names at least one key, and each key at least one value"
            )
        if any(WITHHELD in values for _, values in self.terms):
            raise ValueError("an expression cannot name what is withheld")

    @classmethod
    def of(cls, terms: Mapping[str, Iterable[str]]) -> Expression:
        """An expression of folded terms, in order of the keys.

        Raises:
            ValueError: it has no key, or a key has no value.

        >>> Expression.of({"Class": ["non-private"]}).terms
        (('class', frozenset({'non-private'})),)
        """
        folded: dict[str, frozenset[str]] = {}
        for key, values in terms.items():
            folded[fold(key)] = folded.get(fold(key), frozenset()) | {fold(v) for v in values}
        return cls(tuple(sorted(folded.items())))

    def as_dict(self) -> dict[str, list[str]]:
        """Key -> sorted values."""
        return {key: sorted(values) for key, values in self.terms}

    def __str__(self) -> str:
        return " and ".join(f"{key}={'|'.join(sorted(values))}" for key, values in self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedExpression:
    """An expression with a name; a grant that names it moves with it at once."""

    account: str
    name: str
    body: Expression
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLayers:
    """What is explicitly assigned on a table's way from catalog to column, nothing inherited."""

    catalog: Tags = field(default_factory=dict)
    database: Tags = field(default_factory=dict)
    table: Tags = field(default_factory=dict)
    columns: Mapping[str, Tags] = field(default_factory=dict)

    def of_database(self) -> dict[str, str]:
        """The tags that hold for the database."""
        return {**self.catalog, **self.database}

    def of_table(self) -> dict[str, str]:
        """The tags that hold for the table."""
        return {**self.catalog, **self.database, **self.table}

    def of_column(self, column: str) -> dict[str, str]:
        """The tags that hold for one column."""
        return {**self.of_table(), **self.columns.get(column, NO_TAGS)}

    def origin(self, key: str, column: str | None = None) -> str:
        """Where the value that holds was set: `column`, `table`, `database`, `catalog`, or ``."""
        layers = [("table", self.table), ("database", self.database), ("catalog", self.catalog)]
        if column is not None:
            layers.insert(0, ("column", self.columns.get(column, NO_TAGS)))
        return next((name for name, tags in layers if key in tags), "")


def failing_keys(expression: Expression, tags: Tags, defined: Iterable[str]) -> tuple[str, ...]:
    """The keys on which an expression does not match; empty where it matches.

    A key that the resource does not carry never matches, whatever values the expression lists;
    neither does one that is no longer `defined` in the ontology.
    """
    known = defined if isinstance(defined, (Mapping, frozenset, set)) else frozenset(defined)
    return tuple(
        key
        for key, values in expression.terms
        if key not in known or not _carried(tags.get(key, WITHHELD), values)
    )


def _carried(value: str, values: frozenset[str]) -> bool:
    return value != WITHHELD and (value in values or ANY in values)


def matches(expression: Expression, tags: Tags, defined: Iterable[str]) -> bool:
    """Whether an expression matches the effective tags of one resource."""
    return not failing_keys(expression, tags, defined)
