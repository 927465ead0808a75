"""The parts that several statements have: names, properties, types, queries and expressions.

Only here is sqlglot's parser called, on words that were read and limited before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.dialect import LakeveilAthena
from lakeveil.sql.dialect.literals import spelled
from lakeveil.sql.functions.reading import mark
from lakeveil.sql.statements import (
    ColumnDefinition,
    Condition,
    DatabaseRef,
    PropertyValue,
    Query,
    TableRef,
)
from lakeveil.sql.words import Words, position, unexpected

MAX_DEPTH = 400
"""How deep a syntax tree may be; chains of AND and OR count once."""
MAX_NODES = 100_000


class _Reader(LakeveilAthena):
    """Reads words that were read already, with parameters bound among them."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        super().__init__()
        self._tokens = list(tokens)

    def tokenize(self, sql: str, dialect: Any = None) -> list[Token]:  # noqa: ARG002
        """The words, with literals as they mean themselves and calls marked as ours."""
        return mark(spelled(self._tokens, sql))


def query(words: Words) -> Query:
    """A query, up to the end of the words.

    Raises:
        QueryError: SYNTAX_ERROR with the place; NOT_SUPPORTED if it's too large.
    """
    if words.over:
        raise words.unexpected("a query")
    tree = _parsed(words)
    if not isinstance(tree, exp.Query | exp.Values):
        raise words.unexpected("a query")
    return Query(words.source(), tree, words.text)


def condition(words: Words) -> Condition:
    """An expression, up to the end of the words."""
    tree = _select(words).expressions
    if len(tree) != 1 or isinstance(tree[0], exp.Alias | exp.Star):
        raise words.unexpected("one expression")
    return Condition(words.source(), tree[0].pop(), words.text)


def relation(words: Words) -> Condition:
    """What may stand after FROM, up to the end of the words."""
    star = [Token(TokenType.SELECT, "SELECT"), Token(TokenType.STAR, "*")]
    tree = _parsed(Words([*star, Token(TokenType.FROM, "FROM"), *words.tokens], words.text))
    plain = isinstance(tree, exp.Select) and not [
        name for name, value in tree.args.items() if value and name not in {"expressions", "from_"}
    ]
    if not plain:
        raise words.unexpected("one relation")
    return Condition(words.source(), tree.args["from_"].this.pop(), words.text)


def _select(words: Words) -> exp.Select:
    if words.over:
        raise words.unexpected("an expression")
    tree = _parsed(Words([Token(TokenType.SELECT, "SELECT"), *words.tokens], words.text))
    if not isinstance(tree, exp.Select) or [
        name for name, value in tree.args.items() if value and name != "expressions"
    ]:
        raise words.unexpected("one expression")
    return tree


def _parsed(words: Words) -> exp.Expression:
    try:
        reader = _Reader(words.tokens)
        trees = reader.parse(words.text, error_level=ErrorLevel.IMMEDIATE)
    except SqlglotError as error:
        raise _syntax_error(error, words) from None
    except RecursionError:
        raise QueryError(ErrorName.NOT_SUPPORTED, "the statement nests too deep") from None
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        # The parser falls over some texts; which of its lines did is of no use to anybody.
        raise QueryError(ErrorName.SYNTAX_ERROR, "the statement cannot be read") from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Expression):
        raise words.unexpected("one statement")
    _measure(trees[0])
    return trees[0]


def _syntax_error(error: SqlglotError, words: Words) -> QueryError:
    found = (getattr(error, "errors", None) or [{}])[0]
    line, column = found.get("line"), found.get("col")
    for token in words.tokens:
        if token.line == line and token.col == column:
            what = f"`{ascii(token.text[:64])[1:-1]}`"
            return unexpected(words.text, token.start, "", what)
    return QueryError(ErrorName.SYNTAX_ERROR, "the statement cannot be read")


def _measure(tree: exp.Expression) -> None:
    nodes = 0
    stack: list[tuple[exp.Expression, int]] = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        nodes += 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise QueryError(ErrorName.NOT_SUPPORTED, "the statement is too large or too deep")
        for child in node.iter_expressions():
            chained = isinstance(node, exp.Connector | exp.SetOperation) and type(node) is type(
                child
            )
            stack.append((child, depth if chained else depth + 1))


def place(node: exp.Expression, text: str) -> tuple[int, int]:
    """Line and column of a name in the text it was read from; zeros where unknown."""
    for part in (node, *node.find_all(exp.Identifier)):
        start = part.meta.get("start")
        if start is not None and text:
            return position(text, start)
    return 0, 0


def table(words: Words) -> TableRef:
    """`[[catalog.]database.]table`."""
    at = words.tokens[words.next].start if not words.over else len(words.text)
    parts = [words.name()]
    while words.taken("."):
        parts.append(words.name())
    if len(parts) > 3:  # noqa: PLR2004 - catalog, database, table
        raise unexpected(words.text, at, "a table", "a name of more than three parts")
    line, column = position(words.text, at)
    padded = ["", "", *parts][-3:]
    return TableRef(padded[2], padded[1], padded[0], line, column)


def database(words: Words) -> DatabaseRef:
    """`[catalog.]database`."""
    first = words.name()
    return DatabaseRef(words.name(), first) if words.taken(".") else DatabaseRef(first)


def names(words: Words) -> tuple[str, ...]:
    """`(name, ...)`."""
    inner = words.parenthesised()
    found = [inner.name()]
    while inner.taken(","):
        found.append(inner.name())
    inner.end()
    return tuple(found)


def text_properties(words: Words) -> dict[str, str]:
    """`('name' = 'value', ...)`, as Hive writes them."""
    inner = words.parenthesised()
    found: dict[str, str] = {}
    while True:
        name = inner.string()
        inner.demand("=")
        if name in found:
            raise inner.unexpected("each property once")
        found[name] = inner.string()
        if not inner.taken(","):
            break
    inner.end()
    return found


def properties(words: Words) -> Mapping[str, PropertyValue]:
    """`(name = constant, ...)`, as Trino writes them."""
    inner = words.parenthesised()
    found: dict[str, PropertyValue] = {}
    while True:
        name = inner.name()
        inner.demand("=")
        if name in found:
            raise inner.unexpected("each property once")
        found[name] = _property(inner)
        if not inner.taken(","):
            break
    inner.end()
    return found


def _property(words: Words) -> PropertyValue:
    if words.taken("TRUE"):
        return True
    if words.taken("FALSE"):
        return False
    if words.taken("ARRAY"):
        words.demand("[")
        values = [] if words.at("]") else [words.string()]
        while words.taken(","):
            values.append(words.string())
        words.demand("]")
        return tuple(values)
    if words.word().isdigit():
        return words.number()
    return words.string()


def columns(words: Words) -> tuple[ColumnDefinition, ...]:
    """`(name type [COMMENT '...'], ...)`."""
    inner = words.parenthesised()
    found = [column(inner)]
    while inner.taken(","):
        found.append(column(inner))
    inner.end()
    return tuple(found)


def column(words: Words) -> ColumnDefinition:
    """`name type [COMMENT '...']`."""
    name = words.name()
    words.taken(":")
    kind = type_text(words)
    comment = words.string() if words.taken("COMMENT") else ""
    return ColumnDefinition(name, kind, comment)


def type_text(words: Words) -> str:
    """A type in Hive's spelling, without blanks: `array<struct<a:int,b:decimal(12,2)>>`."""
    if words.word().isidentifier() is False:
        raise words.unexpected("a type")
    made = words.name()
    if made == "double":
        words.taken("PRECISION")
    if words.at("("):
        inner = words.parenthesised()
        sizes = [str(inner.number())]
        if inner.taken(","):
            sizes.append(str(inner.number()))
        inner.end()
        return f"{made}({','.join(sizes)})"
    if not words.taken("<"):
        return made
    parts = [_field(words, made)]
    while words.taken(","):
        parts.append(_field(words, made))
    words.demand(">")
    return f"{made}<{','.join(parts)}>"


def _field(words: Words, outer: str) -> str:
    if outer != "struct":
        return type_text(words)
    name = words.name()
    words.demand(":")
    return f"{name}:{type_text(words)}"
