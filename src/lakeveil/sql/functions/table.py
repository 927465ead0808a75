"""The allow-list of functions: what Trino calls them, what they take, how the engine says it.

A row is data: overloads are Trino's signatures (`array(T), T -> boolean`) with a template in the
engine's SQL each. In a signature a capital letter is any type, the same one wherever it stands
again; `N` is a number, `I` an integer, `D` a decimal; `T...` repeats; `(T, U) -> V` is a lambda. In
a template `_0` is the first argument, `_all` are all of them, `_rest` all but the first;
`agg_sum(_0)` is the aggregate itself, which keeps DISTINCT, ORDER BY, FILTER and OVER;
`result(x)` casts to the type that the signature promises, and `error('NAME', _0)` fails with that
error of Trino's, computed from its argument so that the engine cannot do it ahead of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from sqlglot import exp


class Status(StrEnum):
    """How far to trust a function."""

    SUPPORTED = "supported"
    APPROXIMATE = "approximate"
    REFUSED = "refused"


class Kind(StrEnum):
    """Where a function may stand."""

    SCALAR = "scalar"
    AGGREGATE = "aggregate"
    WINDOW = "window"


Rewrite = Callable[["Call"], exp.Expr]
"""A call, its arguments rewritten already, to what the engine runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call on its way to the engine. `given` are the arguments before they were rewritten."""

    name: str
    args: list[exp.Expr]
    types: list[exp.DataType]
    returns: exp.DataType
    given: list[exp.Expr]


@dataclass(frozen=True, slots=True)
class Type:
    """A type in a signature: Trino's name, a variable, or `function`, with its result last."""

    name: str
    inner: tuple[Type, ...] = ()

    @property
    def variable(self) -> bool:
        """Whether it stands for any type."""
        return len(self.name) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload:
    """One signature. With `variadic` the last argument may come several times."""

    text: str
    takes: tuple[Type, ...]
    returns: Type
    variadic: bool
    engine: str | Rewrite

    def accepts(self, count: int) -> bool:
        """Whether it takes so many arguments."""
        return count >= len(self.takes) if self.variadic else count == len(self.takes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A row of the allow-list."""

    name: str
    category: str
    overloads: tuple[Overload, ...] = ()
    kind: Kind = Kind.SCALAR
    status: Status = Status.SUPPORTED
    note: str = ""
    aliases: tuple[str, ...] = field(default=())


def fn(
    names: str,
    *overloads: tuple[str, str | Rewrite],
    kind: Kind = Kind.SCALAR,
    status: Status = Status.SUPPORTED,
    note: str = "",
) -> Function:
    """A row without its category; `names` are separated by spaces, the first one is Trino's own."""
    name, *aliases = names.split()
    return Function(
        name=name,
        category="",
        overloads=tuple(_overload(text, engine) for text, engine in overloads),
        kind=kind,
        status=status,
        note=note,
        aliases=tuple(aliases),
    )


def refused(names: str, note: str) -> list[Function]:
    """Rows of functions that Trino has and we do not run; `note` says why."""
    return [Function(name=n, category="", status=Status.REFUSED, note=note) for n in names.split()]


def section(category: str, *rows: Function | Iterable[Function]) -> list[Function]:
    """Rows under the heading that Trino's reference has them under."""
    flat: list[Function] = []
    for row in rows:
        flat += [row] if isinstance(row, Function) else row
    return [
        Function(
            name=row.name,
            category=category,
            overloads=row.overloads,
            kind=row.kind,
            status=row.status,
            note=row.note,
            aliases=row.aliases,
        )
        for row in flat
    ]


# -- signatures -------------------------------------------------------------------------------
def _overload(text: str, engine: str | Rewrite) -> Overload:
    takes, _, returns = text.rpartition("->")
    arguments = _split(takes)
    variadic = bool(arguments) and arguments[-1].endswith("...")
    if variadic:
        arguments[-1] = arguments[-1].removesuffix("...")
    return Overload(
        text=f"({takes.strip()}) -> {returns.strip()}",
        takes=tuple(_type(argument) for argument in arguments),
        returns=_type(returns),
        variadic=variadic,
        engine=engine,
    )


def _type(text: str) -> Type:
    text = text.strip()
    if text.startswith("("):
        parameters, _, result = text.rpartition("->")
        inner = _split(parameters.strip()[1:-1])
        return Type("function", (*(_type(part) for part in inner), _type(result)))
    head, bracket, rest = text.partition("(")
    if not bracket:
        return Type(head)
    return Type(head, tuple(_type(part) for part in _split(rest[:-1])))


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return [*parts, text[start:].strip()] if text.strip() else []


def let(value: str, body: str, name: str = "lv_v") -> str:
    """A template that computes `value` once and uses it under `name` in `body`."""
    return f"list_extract(list_transform([{value}], lambda {name}: {body}), 1)"
