"""Calls stay as they were written: how sqlglot's parser is told not to know any function.

sqlglot turns several hundred functions into nodes of its own, with arguments swapped, defaulted or
renamed. What a call means is decided by our table alone. Its compiled parser cannot be derived
from, but leaves a call as `exp.Anonymous` if the comment `sqlglot.anonymous` follows it; so that
comment is put behind every closing bracket, and taken out of the tree again.
"""

from __future__ import annotations

from itertools import pairwise

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import DialectType
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.dialects.trino import Trino

from lakeveil.core.query.failures import ErrorName, QueryError

FOREIGN = frozenset(
    {"ARGMAX", "ARGMIN", "ARG_MAX", "ARG_MIN", "CONVERT", "GROUP_CONCAT", "SAFE_CAST"}
    | {"STRING_AGG", "TRY_CONVERT"}
)
"""Names of other engines that sqlglot reads, by a syntax of theirs, as what Trino has."""


def mark(tokens: list[Token]) -> list[Token]:
    """Tokens whose closing brackets say that the call before them is nobody's but ours.

    Raises:
        QueryError: FUNCTION_NOT_FOUND, another engine's name for what Trino has.
    """
    for name, bracket in pairwise(tokens):
        if bracket.token_type is TokenType.L_PAREN and name.text.upper() in FOREIGN:
            raise QueryError(ErrorName.FUNCTION_NOT_FOUND, f"Function '{name.text}' not registered")
    for token in tokens:
        token.comments.clear()
        if token.token_type is TokenType.R_PAREN:
            token.comments.append(exp.SQLGLOT_ANONYMOUS)
    return tokens


def unmark(tree: exp.Expr) -> exp.Expr:
    """The tree without comments, ours and its author's."""
    for node in tree.walk():
        node.comments = None
    return tree


class LakeveilEngine(DuckDB):
    """The engine's SQL, for templates: calls keep their names through reading and writing."""

    def tokenize(self, sql: str, dialect: DialectType = None) -> list[Token]:
        """Marked tokens."""
        return mark(super().tokenize(sql, dialect=dialect))


class LakeveilTypes(Trino):
    """Spellings of types, where `row(bigint, varchar)` has fields without names."""
