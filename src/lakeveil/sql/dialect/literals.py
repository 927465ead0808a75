"""Typed literals (`DECIMAL '1.5'`, `DATE '2026-01-31'`) as their text means them, not as casts.

A literal's text decides its type: `DECIMAL '1.5'` is a decimal(2,1), where a cast of that text to
`decimal` is a decimal(38,0). The parser makes one node of both, so it is told before: the words
get the precision that the text has. A text that is no such literal fails here, as Trino's analyzer
fails; what Trino keeps more exactly than the engine can is refused.

Also what the tokenizer would read as something else: `1_000` as `1 AS _000`, `0xFF` as bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

from sqlglot.tokenizer_core import Token, TokenType

from lakeveil.core.query.failures import ErrorName, QueryError

_DECIMAL = re.compile(r"[+-]?(?=\.?\d)(\d*)(?:\.(\d*))?", re.ASCII)
_DATE = re.compile(r"[+-]?(\d{4,})-(\d{1,2})-(\d{1,2})", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,12}))?)?", re.ASCII)
_MOST_DIGITS, _MOST_FRACTION = 38, 6
_FIRST_YEAR, _LAST_YEAR = 1, 9999


def spelled(tokens: Sequence[Token], text: str) -> list[Token]:
    """The words of `text` with every literal's type as its own text has it.

    Raises:
        QueryError: INVALID_LITERAL; SYNTAX_ERROR, a name that starts with a digit; NOT_SUPPORTED.
    """
    return list(_spelled(tokens, text))


def _spelled(tokens: Sequence[Token], text: str) -> Iterator[Token]:
    for place, token in enumerate(tokens):
        yield token
        after = tokens[place + 1] if place + 1 < len(tokens) else None
        if token.token_type is TokenType.HEX_STRING:
            _check_bytes(token, text)
        elif token.token_type is TokenType.NUMBER and after is not None:
            _check_number(token, after, text)
        check = _CHECKS.get(token.token_type)
        if check is not None and after is not None and after.token_type is TokenType.STRING:
            for kind, word in check(after.text):
                yield Token(kind, word, after.line, after.col, after.start, after.end)


def _check_number(token: Token, after: Token, text: str) -> None:
    touches = after.start == token.end + 1 and text[token.start : token.start + 1].isdigit()
    if touches and (text[after.start].isalpha() or text[after.start] == "_"):
        raise QueryError(
            ErrorName.SYNTAX_ERROR,
            f"identifiers must not start with a digit: `{ascii(token.text[:32])[1:-1]}`",
        )


def _check_bytes(token: Token, text: str) -> None:
    if text[token.start : token.start + 2].lower() == "0x":
        raise QueryError(ErrorName.NOT_SUPPORTED, "Hexadecimal numbers are not read here")
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", token.text):
        raise QueryError(
            ErrorName.INVALID_LITERAL,
            "Binary literal can only contain an even number of hexadecimal digits",
        )


Words = list[tuple[TokenType, str]]


def _sized(*numbers: int) -> Words:
    words: Words = [(TokenType.L_PAREN, "(")]
    for number in numbers:
        words += [(TokenType.NUMBER, str(number)), (TokenType.COMMA, ",")]
    return [*words[:-1], (TokenType.R_PAREN, ")")]


def _decimal(text: str) -> Words:
    found = _DECIMAL.fullmatch(text)
    if found is None:
        raise _invalid(text, "decimal")
    whole, fraction = found[1].lstrip("0"), found[2] or ""
    precision = max(len(whole) + len(fraction), 1)
    if precision > _MOST_DIGITS:
        raise _invalid(text, "decimal")
    return _sized(precision, len(fraction))


def _date(text: str) -> Words:
    _check_day(text.strip(), "date", text)
    return []


def _time(text: str) -> Words:
    _check_clock(text, "time", text)
    return []


def _timestamp(text: str) -> Words:
    day, _, rest = text.strip().partition(" ")
    _check_day(day, "timestamp", text)
    clock = _CLOCK.match(rest)
    if rest and clock is None:
        raise _invalid(text, "timestamp")
    if clock is not None:
        # What follows is a zone, which the type is then one with.
        _check_clock(clock[0], "timestamp", text)
    return []


def _check_day(day: str, kind: str, text: str) -> None:
    found = _DATE.fullmatch(day)
    if found is None:
        raise _invalid(text, kind)
    year, month, number = (int(part) for part in found.groups())
    if day[0] in "+-" or not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "Days are from the year 1 to 9999 in literals here"
        )
    try:
        date(year, month, number)
    except ValueError:
        raise _invalid(text, kind) from None


def _check_clock(clock: str, kind: str, text: str) -> None:
    found = _CLOCK.fullmatch(clock)
    if found is None:
        raise _invalid(text, kind)
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    if hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004 - of a clock
        raise _invalid(text, kind)
    if len((found[4] or "").rstrip("0")) > _MOST_FRACTION:
        raise QueryError(ErrorName.NOT_SUPPORTED, "Times have microseconds here, and no less")


def _invalid(text: str, kind: str) -> QueryError:
    return QueryError(
        ErrorName.INVALID_LITERAL, f"'{ascii(text[:64])[1:-1]}' is not a valid {kind} literal"
    )


_CHECKS: Mapping[TokenType, Callable[[str], Words]] = {
    TokenType.DECIMAL: _decimal,
    TokenType.DATE: _date,
    TokenType.TIME: _time,
    TokenType.TIMESTAMP: _timestamp,
}
