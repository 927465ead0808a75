"""The words of a statement, before any of it is understood: tokens, and what is too large to read.

Statements come in two spellings, as at Athena: most DDL is Hive's (names in backticks, texts in
either quote), everything else is Trino's (names in double quotes). Which of both a statement is
follows from its first words. Comments are dropped here.

The compiled parser has no guard of its own against deep nesting: it dies of some of it and takes
exponential time over others. What is refused here never reaches it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from sqlglot.dialects.hive import Hive
from sqlglot.dialects.trino import Trino
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from lakeveil.core.query.failures import ErrorName, QueryError

MAX_BYTES = 262_144
"""Of one statement in UTF-8: Athena's limit."""
MAX_NESTING = 64
"""How deep parentheses, brackets, `<...>` and CASE stand in each other."""
MAX_ARRAYS = 8
"""How deep array literals stand in each other: the parser needs twice the time for each."""
MAX_OPEN_JOINS = 4
"""Joins whose ON comes after that of a later one: again twice the time for each."""
MAX_SIGNS = 32
"""Prefix operators (`NOT`, `-`, ...) in a row."""
MAX_SUBSCRIPTS = 32
"""Subscripts, casts and the like in a row."""

# What it logs of a text that it cannot read is that text.
logging.getLogger("sqlglot").disabled = True

_OPENS = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSES = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_SIGNS = {TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE, TokenType.INTERVAL}
_FOREIGN = {TokenType.DCOLON, TokenType.COLON_EQ, TokenType.PARAMETER, TokenType.DOTCOLON}
"""Signs that other engines know."""
_JOIN_ENDS = {TokenType.ON, TokenType.USING}
_NESTED = {TokenType.ARRAY, TokenType.MAP, TokenType.STRUCT}
_HIVE_FIRST = {"SHOW", "DESCRIBE", "DESC", "MSCK", "ALTER"}
_QUOTED = {TokenType.IDENTIFIER, TokenType.STRING}


class _TrinoWords(Trino.Tokenizer):
    # Without commands the rest of such a statement comes as words too, not as one opaque text.
    COMMANDS: ClassVar[set[TokenType]] = set()
    KEYWORDS: ClassVar[dict[str, TokenType]] = {
        word: kind
        for word, kind in Trino.Tokenizer.KEYWORDS.items()
        if word not in {"DEALLOCATE PREPARE", "DESCRIBE INPUT", "DESCRIBE OUTPUT", "RESET SESSION"}
    }


class _HiveWords(Hive.Tokenizer):
    COMMANDS: ClassVar[set[TokenType]] = set()
    KEYWORDS: ClassVar[dict[str, TokenType]] = {
        word: kind for word, kind in Hive.Tokenizer.KEYWORDS.items() if " " not in word
    }


def read(text: str) -> Words:
    """The words of exactly one statement.

    Raises:
        QueryError: it is too long, nests too deep, is more than one, or isn't made of words.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise QueryError(
            ErrorName.QUERY_TEXT_TOO_LARGE, f"the statement is longer than {MAX_BYTES} bytes"
        )
    for at, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise unexpected(text, at, "", f"the character U+{ord(character):04X}")
    tokens = _tokens(text)
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            raise unexpected(text, token.start, "", "`;`: one statement at a time can be run")
    if not tokens:
        raise QueryError(ErrorName.SYNTAX_ERROR, "the statement is empty", line=1, column=1)
    _limit(tokens, text)
    return Words(tokens, text)


def _tokens(text: str) -> list[Token]:
    first = _leading_words(text)
    if first and (
        first[0] in _HIVE_FIRST
        or (first[0] in {"CREATE", "DROP"} and not _is_trino_ddl(first, text))
    ):
        return _tokenized(_HiveWords(dialect=Hive()), text)
    return _tokenized(_TrinoWords(dialect=Trino()), text)


def _leading_words(text: str) -> list[str]:
    """The first four words in upper case, past comments."""
    found: list[str] = []
    at = 0
    while at < len(text) and len(found) < 4:  # noqa: PLR2004 - CREATE OR REPLACE VIEW
        if text.startswith("--", at):
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif text.startswith("/*", at):
            end = text.find("*/", at + 2)
            at = len(text) if end < 0 else end + 2
        elif text[at].isspace() or text[at] == ";":
            at += 1
        else:
            start = at
            while at < len(text) and (text[at].isalnum() or text[at] == "_"):
                at += 1
            if at == start:
                break
            found.append(text[start:at].upper())
    return found


def _is_trino_ddl(first: Sequence[str], text: str) -> bool:
    if "VIEW" in first[1:4]:
        return True
    if first[:2] != ["CREATE", "TABLE"]:
        return False
    try:
        words = _tokenized(_TrinoWords(dialect=Trino()), text)
    except QueryError:
        return False
    return any(
        one.text.upper() == "AS"
        and after.text.upper() in {"SELECT", "WITH", "VALUES", "TABLE", "("}
        for one, after in pairwise(words)
        if one.token_type not in _QUOTED and after.token_type not in _QUOTED
    )


def _tokenized(tokenizer: Trino.Tokenizer | Hive.Tokenizer, text: str) -> list[Token]:
    try:
        return list(tokenizer.tokenize(text))
    except TokenError:
        raise QueryError(
            ErrorName.SYNTAX_ERROR,
            "a quote or comment isn't closed, or a character can't stand where it does",
            line=1,
            column=1,
        ) from None


def _limit(tokens: Sequence[Token], text: str) -> None:  # noqa: C901 - one pass, many counts
    open_joins = [0]
    arrays = [False]
    signs = cases = angles = subscripts = 0
    previous: Token | None = None
    for token in tokens:
        kind = token.token_type
        signs = signs + 1 if kind in _SIGNS else 0
        follows = previous is not None and previous.token_type in _CLOSES
        if kind in _OPENS:
            subscripts = subscripts + 1 if follows else 0
            arrays.append(kind is TokenType.L_BRACKET and not _is_subscript(previous))
            open_joins.append(0)
        elif kind in _CLOSES:
            _demand_on(open_joins[-1], token, text)
            if len(open_joins) > 1:
                open_joins.pop()
                arrays.pop()
        elif kind in _FOREIGN:
            raise unexpected(text, token.start, "", f"`{token.text}`")
        elif kind is TokenType.CASE:
            cases += 1
        elif kind is TokenType.END:
            cases = max(0, cases - 1)
        elif kind is TokenType.LT and previous is not None and previous.token_type in _NESTED:
            angles += 1
        elif kind is TokenType.GT:
            angles = max(0, angles - 1)
        elif kind is TokenType.JOIN:
            crossed = previous is not None and previous.token_type is TokenType.CROSS
            open_joins[-1] += 0 if crossed else 1
        elif kind in _JOIN_ENDS:
            open_joins[-1] = max(0, open_joins[-1] - 1)
        if (
            len(open_joins) + cases > MAX_NESTING
            or angles > MAX_NESTING
            or sum(arrays) > MAX_ARRAYS
            or open_joins[-1] > MAX_OPEN_JOINS
            or signs > MAX_SIGNS
            or subscripts > MAX_SUBSCRIPTS
        ):
            line, column = position(text, token.start)
            message = "the statement nests too deep here"
            raise QueryError(ErrorName.NOT_SUPPORTED, message, line=line, column=column)
        previous = token
    _demand_on(open_joins[-1], tokens[-1], text)


def _demand_on(open_joins: int, token: Token, text: str) -> None:
    # To the parser a JOIN without ON is the same as a comma.
    if open_joins:
        raise unexpected(text, token.start, "ON or USING for every JOIN", f"`{token.text[:64]}`")


def _is_subscript(previous: Token | None) -> bool:
    return previous is not None and (
        previous.token_type in _CLOSES
        or previous.token_type in {TokenType.VAR, TokenType.IDENTIFIER}
    )


def position(text: str, at: int) -> tuple[int, int]:
    """Line and column, both from 1, of an offset."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def unexpected(text: str, at: int, expected: str, found: str) -> QueryError:
    """A syntax error at an offset."""
    line, column = position(text, at)
    message = f"mismatched input {found}" + (f"; expected {expected}" if expected else "")
    return QueryError(ErrorName.SYNTAX_ERROR, message, line=line, column=column)


class Words:
    """A statement's words and how far they have been read. Keywords are compared in upper case."""

    def __init__(self, tokens: Sequence[Token], text: str) -> None:
        self.tokens = tokens
        self.text = text
        self.next = 0

    @property
    def over(self) -> bool:
        """Whether all has been read."""
        return self.next >= len(self.tokens)

    def word(self, ahead: int = 0) -> str:
        """The keyword or sign that comes, in upper case; empty for quoted ones and at the end."""
        at = self.next + ahead
        if at >= len(self.tokens) or self.tokens[at].token_type in _QUOTED:
            return ""
        return self.tokens[at].text.upper()

    def at(self, *words: str) -> bool:
        """Whether these words come next."""
        return all(self.word(ahead) == word for ahead, word in enumerate(words))

    def taken(self, *words: str) -> bool:
        """Read these words if they come next."""
        if not self.at(*words):
            return False
        self.next += len(words)
        return True

    def demand(self, *words: str) -> None:
        """Read these words.

        Raises:
            QueryError: something else comes.
        """
        for word in words:
            if not self.taken(word):
                raise self.unexpected(f"`{word}`")

    def one_of(self, *words: str) -> str:
        """Read one of these words."""
        for word in words:
            if self.taken(word):
                return word
        raise self.unexpected(" or ".join(f"`{word}`" for word in words))

    def name(self) -> str:
        """Read a name, in lower case."""
        token = self._take("a name")
        plain = token.text.replace("_", "a").isalnum() and token.token_type not in {
            TokenType.STRING,
            TokenType.NUMBER,
        }
        if token.token_type is not TokenType.IDENTIFIER and not plain:
            self.next -= 1
            raise self.unexpected("a name")
        return str(token.text).lower()

    def string(self) -> str:
        """Read a text in quotes."""
        token = self._take("a text in quotes")
        if token.token_type is not TokenType.STRING:
            self.next -= 1
            raise self.unexpected("a text in quotes")
        return str(token.text)

    def number(self) -> int:
        """Read a whole number."""
        token = self._take("a number")
        if token.token_type is not TokenType.NUMBER or not token.text.isdigit():
            self.next -= 1
            raise self.unexpected("a whole number")
        return int(token.text)

    def end(self) -> None:
        """Demand that nothing is left."""
        if not self.over:
            raise self.unexpected("the end")

    def rest(self) -> Words:
        """What is left, as words of their own."""
        left = Words(self.tokens[self.next :], self.text)
        self.next = len(self.tokens)
        return left

    def parenthesised(self) -> Words:
        """Read `( ... )`; what is in it, as words of their own."""
        self.demand("(")
        start = self.next
        depth = 1
        while not self.over:
            kind = self.tokens[self.next].token_type
            depth += 1 if kind is TokenType.L_PAREN else -1 if kind is TokenType.R_PAREN else 0
            self.next += 1
            if depth == 0:
                return Words(self.tokens[start : self.next - 1], self.text)
        raise self.unexpected("`)`")

    def source(self) -> str:
        """The text that these words were read from."""
        if not self.tokens:
            return ""
        return self.text[self.tokens[0].start : self.tokens[-1].end + 1]

    def unexpected(self, expected: str) -> QueryError:
        """The error of something else coming next."""
        if self.over:
            return unexpected(self.text, len(self.text), expected, "the end")
        token = self.tokens[self.next]
        return unexpected(self.text, token.start, expected, f"`{ascii(token.text[:64])[1:-1]}`")

    def _take(self, expected: str) -> Token:
        if self.over:
            raise self.unexpected(expected)
        self.next += 1
        return self.tokens[self.next - 1]
