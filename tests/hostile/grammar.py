"""A grammar of SELECTs over a lake: typed expressions, so that most of what it writes runs.

What it writes has one answer only: no LIMIT without a total order, no ties that an engine may break
as it likes, no sums of fractions.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.hostile.decided import DecidedLake

_DEEPEST = 3
_WORD = re.compile(r"\b(?:c\d\d|t\d)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A SELECT, and whether it names a column or table that its author may not see."""

    sql: str
    names_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """What stands after FROM, as text, and what can be named of it: (name, type)."""

    text: str
    columns: tuple[tuple[str, str], ...]


class Queries:
    """Writes one query after the other."""

    def __init__(
        self, dice: random.Random, lake: DecidedLake, hidden: Mapping[str, Sequence[str]]
    ) -> None:
        self._dice = dice
        self._tables = {
            one.table.name.table: tuple(lake.types(one).items())
            for one in lake.stored
            if lake.types(one)
        }
        self._hidden = hidden
        self._names = 0
        shown = {c for columns in self._tables.values() for c, _ in columns}
        self._secret = sorted({c for cs in hidden.values() for c in cs if c[:1] == "c"} - shown)
        self._unseen = {*self._secret, *(t for t in hidden if t not in self._tables)}
        self._common: dict[str, tuple[tuple[str, str], ...]] = {}

    def query(self) -> Query:
        """A SELECT, a set operation, or one with common table expressions."""
        self._common = {}
        heads = []
        for _ in range(self._dice.choice([0, 0, 0, 1, 2])):
            text, columns = self._select(2, ())
            name = self._new("w")
            heads.append(f"{name} AS ({text})")
            self._common[name] = columns
        text, columns = self._select(0, ())
        if self._dice.random() < 0.15:
            text = self._set_operation(text, columns)
        elif self._dice.random() < 0.2:
            positions = ", ".join(str(at + 1) for at in range(len(columns)))
            if not any(kind.startswith("array") for _, kind in columns):
                text += f" ORDER BY {positions} LIMIT {self._dice.randint(1, 5)}"
        if heads:
            text = f"WITH {', '.join(heads)} {text}"
        named = set(_WORD.findall(text))
        return Query(sql=text, names_hidden=bool(named & self._unseen))

    def _set_operation(self, text: str, columns: Sequence[tuple[str, str]]) -> str:
        other = self._relation(1)
        scope = other.columns
        items = ", ".join(self._expression(kind, scope, 2) for _, kind in columns)
        word = self._dice.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"])
        return f"{text} {word} SELECT {items} FROM {other.text}"

    def _select(
        self, deep: int, outer: tuple[tuple[str, str], ...]
    ) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The text of a SELECT, and its columns."""
        relation = self._from(deep)
        scope = (*relation.columns, *outer)
        where = f" WHERE {self._condition(scope, deep)}" if self._dice.random() < 0.5 else ""
        form = self._dice.random()
        if form < 0.1 and deep < 2:
            return f"SELECT * FROM {relation.text}{where}", self._unnamed(relation)
        if form < 0.35:
            return self._grouped(relation, where, deep)
        items = []
        columns = []
        for _ in range(self._dice.randint(1, 4)):
            kind = self._dice.choice(["bigint", "string", "string", "date", "array<string>"])
            if self._dice.random() < 0.15 and kind == "bigint":
                text = self._window(relation.columns)
            else:
                text = self._expression(kind, scope, deep)
            name = self._new("x")
            items.append(f"{text} AS {name}")
            columns.append((name, kind))
        distinct = "DISTINCT " if self._dice.random() < 0.1 else ""
        return f"SELECT {distinct}{', '.join(items)} FROM {relation.text}{where}", tuple(columns)

    @staticmethod
    def _unnamed(relation: Relation) -> tuple[tuple[str, str], ...]:
        names = [name.rpartition(".")[2] for name, _ in relation.columns]
        return tuple(
            (name, kind)
            for name, (_, kind) in zip(names, relation.columns, strict=True)
            if names.count(name) == 1
        ) or (("nothing", "bigint"),)

    def _grouped(
        self, relation: Relation, where: str, deep: int
    ) -> tuple[str, tuple[tuple[str, str], ...]]:
        keys = [c for c in relation.columns if not c[1].startswith("array")]
        key = self._dice.choice(keys) if keys and self._dice.random() < 0.8 else None
        items, columns = [], []
        if key is not None:
            name = self._new("x")
            items.append(f"{key[0]} AS {name}")
            columns.append((name, key[1]))
        for _ in range(self._dice.randint(1, 3)):
            text, kind = self._aggregate(relation.columns, deep)
            name = self._new("x")
            items.append(f"{text} AS {name}")
            columns.append((name, kind))
        group = ""
        if key is not None:
            form = self._dice.choice(["{}", "{}", "ROLLUP ({})", "GROUPING SETS (({}), ())"])
            group = f" GROUP BY {form.format(key[0])}"
            if self._dice.random() < 0.3:
                group += f" HAVING count(*) >= {self._dice.randint(0, 2)}"
        return f"SELECT {', '.join(items)} FROM {relation.text}{where}{group}", tuple(columns)

    def _aggregate(self, scope: Sequence[tuple[str, str]], deep: int) -> tuple[str, str]:
        text = self._expression("string", scope, deep + 1)
        number = self._expression("bigint", scope, deep + 1)
        found = self._dice.choice(
            [
                ("count(*)", "bigint"),
                (f"count(DISTINCT {text})", "bigint"),
                (f"count({number})", "bigint"),
                (f"max({text})", "string"),
                (f"min({text})", "string"),
                (f"max({number})", "bigint"),
                (f"array_agg({text} ORDER BY {text})", "array<string>"),
                (f"array_sort(array_agg(DISTINCT {text}))", "array<string>"),
                (f"array_join(array_agg({text} ORDER BY {text}), ',')", "string"),
                (f"min({self._expression('date', scope, deep + 1)})", "date"),
            ]
        )
        if self._dice.random() < 0.2:
            return f"{found[0]} FILTER (WHERE {self._condition(scope, deep + 1)})", found[1]
        return found

    def _window(self, scope: Sequence[tuple[str, str]]) -> str:
        order = self._expression("bigint", scope, _DEEPEST)
        by = self._expression("string", scope, _DEEPEST)
        partition = f"PARTITION BY {by} " if self._dice.random() < 0.5 else ""
        call = self._dice.choice(["rank()", "dense_rank()", "count(*)", f"max({order})"])
        return f"{call} OVER ({partition}ORDER BY {order})"

    def _from(self, deep: int) -> Relation:
        found = self._relation(deep)
        for _ in range(self._dice.choice([0, 0, 1, 1, 2]) if deep < 2 else 0):
            found = self._joined(found, deep)
        if self._dice.random() < 0.12:
            arrays = [name for name, kind in found.columns if kind.startswith("array")]
            if arrays:
                name = self._new("u")
                text = f"{found.text} CROSS JOIN UNNEST({self._dice.choice(arrays)}) AS {name}(e)"
                found = Relation(text, (*found.columns, (f"{name}.e", "string")))
        return found

    def _joined(self, left: Relation, deep: int) -> Relation:
        if self._dice.random() < 0.1:
            inner, columns = self._select(_DEEPEST, left.columns)
            name = self._new("l")
            text = f"{left.text} CROSS JOIN LATERAL ({inner}) AS {name}"
            return Relation(text, (*left.columns, *((f"{name}.{c}", k) for c, k in columns)))
        right = self._relation(deep + 1)
        columns = (*left.columns, *right.columns)
        word = self._dice.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"])
        if word == "CROSS JOIN":
            return Relation(f"{left.text} CROSS JOIN {right.text}", columns)
        kind = self._dice.choice(["bigint", "string"])
        one = self._expression(kind, left.columns, _DEEPEST)
        other = self._expression(kind, right.columns, _DEEPEST)
        return Relation(f"{left.text} {word} {right.text} ON {one} = {other}", columns)

    def _relation(self, deep: int) -> Relation:
        name = self._new("r")
        if self._dice.random() < 0.02:
            gone = [t for t in self._hidden if t not in self._tables]
            if gone:
                return Relation(f"{self._dice.choice(gone)} AS {name}", ((f"{name}.id", "bigint"),))
        if deep < 2 and self._dice.random() < 0.2:
            inner, columns = self._select(deep + 1, ())
            return Relation(
                f"({inner}) AS {name}", tuple((f"{name}.{c}", kind) for c, kind in columns)
            )
        if self._common and self._dice.random() < 0.4:
            common = self._dice.choice(sorted(self._common))
            columns = self._common[common]
            return Relation(f"{common} AS {name}", tuple((f"{name}.{c}", k) for c, k in columns))
        if not self._tables:
            return Relation(f"(VALUES (1, 'a')) AS {name}(n, s)", ((f"{name}.n", "bigint"),))
        table = self._dice.choice(sorted(self._tables))
        return Relation(
            f"{table} AS {name}", tuple((f"{name}.{c}", k) for c, k in self._tables[table])
        )

    def _column(self, kind: str, scope: Sequence[tuple[str, str]]) -> str | None:
        if self._dice.random() < 0.004 and scope:
            alias = self._dice.choice(scope)[0].partition(".")[0]
            if self._secret:
                return f"{alias}.{self._dice.choice(self._secret)}"
        fitting = [name for name, found in scope if found == kind and "." in name]
        return self._dice.choice(fitting) if fitting else None

    def _expression(self, kind: str, scope: Sequence[tuple[str, str]], deep: int) -> str:
        column = self._column(kind, scope)
        if column is not None and (deep >= _DEEPEST or self._dice.random() < 0.5):
            return column
        if deep >= _DEEPEST:
            return self._constant(kind)
        return _EXPRESSIONS[kind](self, scope, deep + 1)

    def _constant(self, kind: str) -> str:
        return self._dice.choice(
            {
                "bigint": ["BIGINT '1'", "CAST(NULL AS bigint)", "BIGINT '7'"],
                "string": ["'a'", "''", "CAST(NULL AS varchar)", "'é'"],
                "date": ["DATE '2001-02-03'", "CAST(NULL AS date)"],
                "array<string>": ["ARRAY['a']", "ARRAY['b', 'c']"],
            }[kind]
        )

    def _number(self, scope: Sequence[tuple[str, str]], deep: int) -> str:
        one, other = (self._expression("bigint", scope, deep) for _ in range(2))
        text = self._expression("string", scope, deep)
        return self._dice.choice(
            [
                f"({one} - {other})",
                f"({one} % 7)",
                f"abs({one})",
                f"coalesce({one}, {other})",
                f"greatest({one}, {other})",
                f"length({text})",
                f"strpos({text}, 'v')",
                f"CASE WHEN {self._condition(scope, deep)} THEN {one} ELSE {other} END",
                f"if({self._condition(scope, deep)}, {one})",
                f"cardinality({self._expression('array<string>', scope, deep)})",
                f"({one} / ({other} % 3))",
                f"CAST(substr({text}, 2, 9) AS bigint)",
                f"try_cast({text} AS bigint)",
                f"nullif({one}, {other})",
                self._scalar("bigint", scope, deep),
                self._constant("bigint"),
            ]
        )

    def _text(self, scope: Sequence[tuple[str, str]], deep: int) -> str:
        one, other = (self._expression("string", scope, deep) for _ in range(2))
        array = self._expression("array<string>", scope, deep)
        return self._dice.choice(
            [
                f"({one} || {other})",
                f"coalesce({one}, {other})",
                f"upper(lower({one}))",
                f"substr({one}, 1, {self._dice.randint(1, 12)})",
                f"replace({one}, 'x', 'y')",
                f"trim({one})",
                f"concat({one}, '-', {other})",
                f"CAST({self._expression('bigint', scope, deep)} AS varchar)",
                f"CAST({self._expression('date', scope, deep)} AS varchar)",
                f"CASE WHEN {self._condition(scope, deep)} THEN {one} END",
                f"array_join({array}, '/')",
                f"element_at({array}, 1)",
                f"array_max({array})",
                f"nullif({one}, {other})",
                f"split_part({one}, 'x', 1)",
                f"try({one})",
                self._scalar("string", scope, deep),
                self._constant("string"),
            ]
        )

    def _date(self, scope: Sequence[tuple[str, str]], deep: int) -> str:
        one, other = (self._expression("date", scope, deep) for _ in range(2))
        return self._dice.choice(
            [
                f"coalesce({one}, {other})",
                f"date_trunc('year', {one})",
                f"date_add('day', 1, {one})",
                f"CASE WHEN {self._condition(scope, deep)} THEN {one} ELSE {other} END",
                self._constant("date"),
            ]
        )

    def _array(self, scope: Sequence[tuple[str, str]], deep: int) -> str:
        one = self._expression("array<string>", scope, deep)
        text = self._expression("string", scope, deep)
        return self._dice.choice(
            [
                f"ARRAY[{text}, {self._expression('string', scope, deep)}]",
                f"transform({one}, e -> e || {text})",
                f"filter({one}, e -> e <> {text})",
                f"array_distinct({one})",
                f"reverse({one})",
                f"split({text}, 'x')",
                self._constant("array<string>"),
            ]
        )

    def _scalar(self, kind: str, scope: Sequence[tuple[str, str]], deep: int) -> str:
        if deep >= _DEEPEST:
            return self._constant(kind)
        relation = self._relation(_DEEPEST)
        inner = (*relation.columns, *scope)
        call = "max" if self._dice.random() < 0.5 else "min"
        value = self._expression(kind, relation.columns, _DEEPEST)
        return (
            f"(SELECT {call}({value}) FROM {relation.text}"
            f" WHERE {self._comparison(inner, _DEEPEST)})"
        )

    def _condition(self, scope: Sequence[tuple[str, str]], deep: int) -> str:
        if deep >= _DEEPEST:
            return self._comparison(scope, deep)
        one = self._comparison(scope, deep)
        form = self._dice.random()
        if form < 0.2:
            word = self._dice.choice(["AND", "OR"])
            return f"({one} {word} {self._condition(scope, deep + 1)})"
        if form < 0.3:
            return f"NOT ({one})"
        if form < 0.45:
            relation = self._relation(_DEEPEST)
            kind = self._dice.choice(["bigint", "string"])
            inner = self._expression(kind, relation.columns, _DEEPEST)
            if self._dice.random() < 0.5:
                value = self._expression(kind, scope, deep + 1)
                word = self._dice.choice(["IN", "NOT IN"])
                return f"{value} {word} (SELECT {inner} FROM {relation.text})"
            outer = self._expression(kind, scope, _DEEPEST)
            return f"EXISTS (SELECT 1 FROM {relation.text} WHERE {inner} = {outer})"
        return one

    def _comparison(self, scope: Sequence[tuple[str, str]], deep: int) -> str:
        kind = self._dice.choice(["bigint", "string", "date"])
        one, other = (self._expression(kind, scope, deep + 1) for _ in range(2))
        sign = self._dice.choice(["=", "<>", "<", ">=", "IS DISTINCT FROM"])
        forms = [f"{one} {sign} {other}", f"{one} IS NOT NULL", f"{one} IS NULL"]
        if kind == "string":
            forms += [f"{one} LIKE 'v%'", f"{one} IN ({other}, 'eu')", f"{one} = 'us'"]
        return self._dice.choice(forms)

    def _new(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"


_EXPRESSIONS = {
    "bigint": Queries._number,
    "string": Queries._text,
    "date": Queries._date,
    "array<string>": Queries._array,
}
