"""Parameters: what a client gives for the question marks of a statement.

Athena's `ExecutionParameters` and Trino's `EXECUTE ... USING` give texts of SQL, each one constant:
`12`, `-4.5`, `'text'`, `NULL`, `TRUE`, `DATE '2026-01-31'`, `TIMESTAMP '...'`, `X'00ff'`, or a CAST
of one. Each is read on its own and stands in the statement as those words; nothing in it can begin
anything else. A question mark in a comment, text or name is none.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.words import Words, position, read

_TYPED = {"DATE", "TIMESTAMP", "TIME", "DECIMAL", "DOUBLE", "REAL", "BIGINT", "CHAR", "VARCHAR"}
_NO_VALUE_AFTER = {*_TYPED, "INTERVAL", "JSON", "INTEGER", "BOOLEAN", "UUID", "IPADDRESS", "INT"}
_TYPE_WORDS = {
    *("BOOLEAN", "TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "REAL", "DOUBLE", "DECIMAL"),
    *("CHAR", "VARCHAR", "VARBINARY", "DATE", "TIME", "TIMESTAMP", "UUID", "IPADDRESS", "JSON"),
}


def bound(words: Words, parameters: Sequence[str]) -> Words:
    """The same words with each question mark replaced by its value, in order.

    Raises:
        QueryError: there are more or fewer values than question marks, or one isn't a constant.
    """
    marks = [t for t in words.tokens if t.token_type is TokenType.PLACEHOLDER]
    if len(marks) != len(parameters):
        raise QueryError(
            ErrorName.INVALID_PARAMETER_USAGE,
            f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}",
        )
    values = iter(parameters)
    made: list[Token] = []
    for token in words.tokens:
        if token.token_type is not TokenType.PLACEHOLDER:
            made.append(token)
            continue
        if made and (
            made[-1].token_type is TokenType.STRING or made[-1].text.upper() in _NO_VALUE_AFTER
        ):
            line, column = position(words.text, token.start)
            message = "a parameter cannot be part of another constant"
            raise QueryError(ErrorName.SYNTAX_ERROR, message, line=line, column=column)
        made += [_moved(part, token) for part in constant(next(values))]
    return Words(made, words.text)


def constant(text: str) -> list[Token]:
    """The words of one constant.

    Raises:
        QueryError: it is anything else.
    """
    words = read(text)
    _constant(words)
    words.end()
    tokens = list(words.tokens)
    if words.tokens[0].token_type is TokenType.DASH:
        # `2 - ?` with -1 is a difference, whatever the sign stands next to.
        return [_sign(TokenType.L_PAREN, "("), *tokens, _sign(TokenType.R_PAREN, ")")]
    return tokens


def _constant(words: Words) -> None:
    kind = words.tokens[words.next].token_type if not words.over else None
    if words.taken("NULL") or words.taken("TRUE") or words.taken("FALSE"):
        return
    if words.taken("CAST"):
        inner = words.parenthesised()
        _constant(inner)
        inner.demand("AS")
        _type(inner)
        inner.end()
        return
    if words.word() in _TYPED and words.word(1) == "":
        words.next += 1
        words.string()
        return
    if words.word() == "-":
        words.next += 1
        kind = words.tokens[words.next].token_type if not words.over else None
        if kind is not TokenType.NUMBER:
            raise _no_constant()
    if kind in {TokenType.NUMBER, TokenType.STRING, TokenType.HEX_STRING}:
        words.next += 1
        return
    raise _no_constant()


def _type(words: Words) -> None:
    if words.word() not in _TYPE_WORDS:
        raise _no_constant()
    words.next += 1
    if words.at("("):
        inner = words.parenthesised()
        inner.number()
        if inner.taken(","):
            inner.number()
        inner.end()


def _no_constant() -> QueryError:
    return QueryError(
        ErrorName.INVALID_PARAMETER_USAGE,
        "a parameter is one constant: a number, a text in single quotes, NULL, TRUE, FALSE, "
        "DATE '...', TIMESTAMP '...' or a CAST of one",
    )


def _moved(token: Token, to: Token) -> Token:
    return Token(token.token_type, token.text, to.line, to.col, to.start, to.end)


def _sign(kind: TokenType, text: str) -> Token:
    return Token(kind, text)


def literal(value: str | int | None) -> str:
    """A value as a constant's text, for parameters made by us."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'"
