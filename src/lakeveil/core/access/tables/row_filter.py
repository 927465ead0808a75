"""Row filter expressions: Lake Formation's subset of PartiQL, read strictly.

What is read (developer guide, "PartiQL support in row filter expressions"): a column against
constants with `= <> != < > <= >= BETWEEN IN LIKE IS [NOT] NULL`, joined with `AND`, `OR`, `NOT` and
parentheses. No function, no subquery, no second column, no comment, no nested field. Constants are
`'text'`, `12`, `-4.5`, `TRUE`, `FALSE`, `DATE '2026-01-31'`, `TIMESTAMP '2026-01-31 23:59:59.5'`.
Column names are plain or in double quotes and compared in lower case, as Glue stores them.

What is stored and handed to an engine is `canonical(parse(text))`: text made anew from the tree, so
nothing that was not understood here gets that far. NULL is as in SQL: a row for which an
expression is neither true nor false is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from lakeveil.errors import UsageError

MAX_CHARACTERS = 2047
MAX_CANONICAL = 4 * MAX_CHARACTERS
"""Characters: quotes, blanks and parentheses make the canonical text the longer one."""
MAX_DEPTH = 16
"""How deep `AND`, `OR` and `NOT` nest."""

Constant = str | int | Decimal | bool | date | datetime


@dataclass(frozen=True, slots=True)
class Comparison:
    """`operator` is one of `= <> < > <= >=`."""

    column: str
    operator: str
    value: Constant


@dataclass(frozen=True, slots=True)
class Between:
    """Both ends included."""

    column: str
    low: Constant
    high: Constant
    negated: bool = False


@dataclass(frozen=True, slots=True)
class In:
    """One of at least one value."""

    column: str
    values: tuple[Constant, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Like:
    """`%` is any text, `_` any one character, with case; nothing escapes them."""

    column: str
    pattern: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether there is no value."""

    column: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """Negation; of unknown it is unknown."""

    operand: RowFilter


@dataclass(frozen=True, slots=True)
class And:
    """At least two parts."""

    parts: tuple[RowFilter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least two parts."""

    parts: tuple[RowFilter, ...]


Predicate = Comparison | Between | In | Like | IsNull
RowFilter = Predicate | Not | And | Or


def parse(text: str, *, longest: int = MAX_CHARACTERS) -> RowFilter:
    """Read an expression. `longest` is in characters; canonical text may need `MAX_CANONICAL`.

    Raises:
        UsageError: with the position (from 1) and what may stand there.
    """
    if len(text) > longest:
        raise _refused(f"it has {len(text)} characters", f"write at most {longest}")
    return _Parser(text).whole()


def columns_of(expression: RowFilter) -> frozenset[str]:
    """The columns that it looks at."""
    return frozenset(predicate.column for predicate in predicates_of(expression))


def predicates_of(expression: RowFilter) -> Iterator[Predicate]:
    """Each comparison in it, from left to right."""
    match expression:
        case And(parts) | Or(parts):
            for part in parts:
                yield from predicates_of(part)
        case Not(operand):
            yield from predicates_of(operand)
        case _:
            yield expression


def canonical(expression: RowFilter) -> str:
    r"""As text that reads back as the same expression; equal expressions have equal texts.

    >>> canonical(parse("not Region in ('us','eu') or n>=1.50"))
    '(NOT ("region" IN (\'us\', \'eu\'))) OR "n" >= 1.5'
    """
    match expression:
        case And(parts):
            return " AND ".join(map(_part, parts))
        case Or(parts):
            return " OR ".join(map(_part, parts))
        case Not(operand):
            return f"NOT ({canonical(operand)})"
        case _:
            return _predicate(expression)


def _part(expression: RowFilter) -> str:
    text = canonical(expression)
    return f"({text})" if isinstance(expression, And | Or | Not) else text


def _predicate(predicate: Predicate) -> str:
    name = '"' + predicate.column.replace('"', '""') + '"'
    match predicate:
        case Comparison(_, operator, value):
            return f"{name} {operator} {_constant(value)}"
        case Between(_, low, high, negated):
            return f"{name} {_not(negated)}BETWEEN {_constant(low)} AND {_constant(high)}"
        case In(_, values, negated):
            return f"{name} {_not(negated)}IN ({', '.join(map(_constant, values))})"
        case Like(_, pattern, negated):
            return f"{name} {_not(negated)}LIKE {_constant(pattern)}"
        case IsNull(_, negated):
            return f"{name} IS {_not(negated)}NULL"


def _not(negated: bool) -> str:  # noqa: FBT001 - the word itself
    return "NOT " if negated else ""


def _constant(value: Constant) -> str:
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case datetime():
            return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case _:
            return format(value, "f") if isinstance(value, Decimal) else str(value)


_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
      | (?P<text>'(?:[^'\0]|'')*')
      | (?P<quoted>"(?:[^"\0]|"")+")
      | (?P<number>-?[0-9]{1,38}(?:\.[0-9]{1,38})?(?![\w.]))
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?![\w."]))
      | (?P<sign><>|!=|<=|>=|[=<>(),])""",
    re.VERBOSE,
)
_KEYWORDS = frozenset(
    {"and", "or", "not", "between", "in", "like", "is", "null"}
    | {"true", "false", "date", "timestamp"}
)
_OPERATORS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MAX_PARENTHESES = 4 * MAX_DEPTH


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        """A keyword or sign in lower case, else empty."""
        return self.text.lower() if self.kind in {"word", "sign"} else ""


class _Parser:
    """Recursive descent; no branch reads on after something that it does not know."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._open = 0

    def whole(self) -> RowFilter:
        found, _ = self._disjunction()
        if self._here.kind != "end":
            raise self._unexpected("AND, OR or the end")
        return found

    @property
    def _here(self) -> _Token:
        return self._tokens[self._next]

    def _disjunction(self) -> tuple[RowFilter, int]:
        return self._joined("or", self._conjunction, Or)

    def _conjunction(self) -> tuple[RowFilter, int]:
        return self._joined("and", self._negation, And)

    def _joined(
        self,
        word: str,
        operand: Callable[[], tuple[RowFilter, int]],
        make: type[And | Or],
    ) -> tuple[RowFilter, int]:
        """Operands between the same word, and how deep what was read nests."""
        first, depth = operand()
        parts = [first]
        while self._taken(word):
            part, below = operand()
            parts.append(part)
            depth = max(depth, below)
        return (first, depth) if len(parts) == 1 else (make(tuple(parts)), self._deeper(depth))

    def _negation(self) -> tuple[RowFilter, int]:
        negations = 0
        while self._taken("not"):
            negations += 1
        found, depth = self._operand()
        for _ in range(negations):
            found, depth = Not(found), self._deeper(depth)
        return found, depth

    def _operand(self) -> tuple[RowFilter, int]:
        if not self._taken("("):
            return self._comparison(), 0
        self._open += 1
        if self._open > _MAX_PARENTHESES:
            raise _refused(
                "it has too many parentheses in each other", "leave out those not needed"
            )
        found = self._disjunction()
        self._demand(")")
        self._open -= 1
        return found

    def _comparison(self) -> Predicate:
        column = self._column()
        if self._here.kind == "sign" and self._here.text in _OPERATORS:
            return Comparison(column, _OPERATORS[self._take().text], self._value())
        if self._taken("is"):
            negated = self._taken("not")
            self._demand("null")
            return IsNull(column, negated)
        negated = self._taken("not")
        if self._taken("between"):
            low = self._value()
            self._demand("and")
            return Between(column, low, self._value(), negated)
        if self._taken("like"):
            return Like(column, self._text("a pattern in single quotes"), negated)
        if self._taken("in"):
            self._demand("(")
            values = [self._value()]
            while self._taken(","):
                values.append(self._value())
            self._demand(")")
            return In(column, tuple(values), negated)
        raise self._unexpected("= <> < > <= >= BETWEEN, IN, LIKE or IS")

    def _column(self) -> str:
        here = self._here
        if here.kind == "quoted":
            return self._take().text[1:-1].replace('""', '"').lower()
        if here.kind != "word" or here.word in _KEYWORDS:
            raise self._unexpected("a column, NOT or an opening parenthesis")
        return self._take().word

    def _value(self) -> Constant:
        here = self._here
        if here.kind == "text":
            return self._text("")
        if here.kind == "number":
            return _number(self._take().text)
        if here.word in {"true", "false"}:
            return self._take().word == "true"
        if self._taken("date"):
            return self._moment(_DATE, date.fromisoformat, "a date such as '2026-01-31'")
        if self._taken("timestamp"):
            what = "a time such as '2026-01-31 23:59:59'"
            return self._moment(_TIMESTAMP, datetime.fromisoformat, what)
        raise self._unexpected(
            "a constant: 'text', 12, 4.5, TRUE, FALSE, DATE '...' or TIMESTAMP '...'"
        )

    def _moment(self, shape: re.Pattern[str], make: Callable[[str], date], what: str) -> date:
        at = self._here
        text = self._text(what)
        try:
            if shape.fullmatch(text):
                # A fraction has one to six digits; fromisoformat of 3.11 knows three and six.
                return make(text.ljust(26, "0") if "." in text else text)
        except ValueError:
            pass
        raise _refused(f"at character {at.at} there is {_glimpse(at)}", f"write {what} there")

    def _text(self, what: str) -> str:
        if self._here.kind != "text":
            raise self._unexpected(what)
        return self._take().text[1:-1].replace("''", "'")

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _taken(self, word: str) -> bool:
        if self._here.word != word:
            return False
        self._next += 1
        return True

    def _demand(self, word: str) -> None:
        if not self._taken(word):
            raise self._unexpected(f"`{word.upper()}`")

    def _unexpected(self, allowed: str) -> UsageError:
        here = self._here
        return _refused(
            f"at character {here.at} there is {_glimpse(here)}", f"{allowed} may stand there"
        )

    @staticmethod
    def _deeper(depth: int) -> int:
        if depth >= MAX_DEPTH:
            raise _refused(f"it nests deeper than {MAX_DEPTH} levels", "write it flatter")
        return depth + 1


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _refused(
                f"at character {at + 1} there is {_glimpse(_Token('', text[at:], at))}",
                "columns, constants, comparisons, AND, OR, NOT and parentheses are all there is",
            )
        if found.lastgroup != "blank":
            yield _Token(found.lastgroup or "", found.group(), at + 1)
        at = found.end()
    yield _Token("end", "", len(text) + 1)


def _number(text: str) -> int | Decimal:
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    return Decimal(f"{whole}.{fraction}") if fraction else int(whole)


def _glimpse(token: _Token) -> str:
    return f"`{ascii(token.text[:8])[1:-1]}`" if token.text else "the end"


def _refused(why: str, fix: str) -> UsageError:
    return UsageError("the row filter is not valid", why=why, fix=fix, code="invalid_row_filter")
