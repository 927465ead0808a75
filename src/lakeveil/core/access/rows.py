"""Which rows: a disjunction of conjunctions of row filter expressions, kept as text.

The decision never evaluates a filter; it only says which of them must hold. `ALL` is every row,
`NONE` no row. A value absorbs what it already implies, so equal meanings built from the same
filters compare equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rows:
    """An "or" over `clauses`; each clause is an "and" over filter texts."""

    clauses: frozenset[frozenset[str]]

    @classmethod
    def where(cls, expression: str) -> Rows:
        """The rows for which one filter expression is true."""
        return cls(frozenset({frozenset({expression.strip()})}))

    def __or__(self, other: Rows) -> Rows:
        return _absorbed(self.clauses | other.clauses)

    def __and__(self, other: Rows) -> Rows:
        return _absorbed(a | b for a in self.clauses for b in other.clauses)

    def covers(self, other: Rows) -> bool:
        """Whether every clause of `other` is implied here (sufficient, not necessary)."""
        return (self | other) == self

    def __bool__(self) -> bool:
        """False for no row at all."""
        return bool(self.clauses)

    @property
    def every(self) -> bool:
        """Whether this is every row."""
        return frozenset() in self.clauses

    def text(self) -> str:
        """As one expression: `TRUE`, `FALSE`, or filters joined with AND and OR.

        >>> (Rows.where("r = 'us'") | Rows.where("r = 'eu'")).text()
        "(r = 'eu') OR (r = 'us')"
        """
        if self.every:
            return "TRUE"
        if not self:
            return "FALSE"
        clauses = sorted(tuple(sorted(clause)) for clause in self.clauses)
        joined = [" AND ".join(f"({part})" for part in clause) for clause in clauses]
        if len(joined) == 1:
            return joined[0]
        return " OR ".join(
            text if len(clause) == 1 else f"({text})"
            for text, clause in zip(joined, clauses, strict=True)
        )


ALL = Rows(frozenset({frozenset()}))
NONE = Rows(frozenset())


def _absorbed(clauses: Iterable[frozenset[str]]) -> Rows:
    every = set(clauses)
    return Rows(frozenset(c for c in every if not any(other < c for other in every)))
