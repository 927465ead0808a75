"""Names resolved: every table, column and `*` of a checked tree replaced by what it means.

Works on one tree, from the innermost relation out, as Trino resolves names: relations of a FROM in
order, expressions against them and those of the outer query, ORDER BY against the result first.
What comes out names tables `r0`, `r1`, ..., common table expressions `c0`, ..., relations `s0`,
..., all of them made here; every column is qualified, every type known where it can be.

What a principal may not see is not in the catalog asked here, so it fails as what doesn't exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql import aggregation, pruning, scopes
from lakeveil.sql.coercion import common
from lakeveil.sql.expressions import Common, Output, Place
from lakeveil.sql.scopes import NOWHERE, Field, Origins, Scope
from lakeveil.sql.sources import Sources, table_alias
from lakeveil.sql.types import trino_type_of

MAX_COLUMNS = 10_000
"""Of one SELECT, once `*` is written out."""


class Resolver(Sources):
    """Resolves one query; afterwards `used` and `views` say what it reads."""

    def resolve(
        self, tree: exp.Expression, *, text: str, database: str
    ) -> tuple[exp.Expression, tuple[Output, ...]]:
        """The resolved tree (the same, changed) and the columns of its result.

        Raises:
            QueryError: whatever cannot be resolved.
        """
        holder = exp.Subquery(this=tree)
        outputs = self.query(tree, Place(text=text, database=database))
        return holder.this, outputs

    def query(self, node: exp.Expression, at: Place) -> tuple[Output, ...]:
        """Resolve a query in place; the columns of its result."""
        if isinstance(node, exp.SetOperation) and not all(map(_is_key, _ordered(node))):
            node = _around(node)
        at = self._with(node, at)
        if isinstance(node, exp.Select):
            return self._select(node, at)
        if isinstance(node, exp.SetOperation):
            outputs = self._set_operation(node, at)
        elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Table):
            if node.args.get("alias"):
                raise self._unsupported("an alias for a query that is no relation", node, at)
            outputs = self.query(node.this, at)
        elif isinstance(node, exp.Values):
            node, outputs = self._values(node, at)
        else:
            raise self._unsupported("this as a query", node, at)
        for ordered in _ordered(node):
            ordinal = self._ordinal(ordered.this, outputs, at)
            if ordinal is None:
                raise self._unsupported(
                    "ordering this by more than its columns or their positions", ordered, at
                )
            ordered.set("this", ordinal)
        _limit(node)
        return outputs

    def _with(self, node: exp.Expression, at: Place) -> Place:
        clause = node.args.get("with_")
        if clause is None:
            return at
        common = dict(at.common)
        own: set[str] = set()
        for cte in clause.expressions:
            alias = cte.args["alias"]
            name = alias.this.name.lower()
            if name in own:
                raise self._unsupported(f"`{name}` twice in WITH", cte, at)
            own.add(name)
            outputs = self.query(cte.this, replace(at, common=common))
            outputs = self._renamed(outputs, alias, at)
            engine = self._new("c")
            cte.set("alias", table_alias(engine))
            common = {**common, name: Common(engine, outputs)}
        return replace(at, common=common)

    def _set_operation(self, node: exp.SetOperation, at: Place) -> tuple[Output, ...]:
        left, right = self.query(node.this, at), self.query(node.expression, at)
        if len(left) != len(right):
            what = type(node).__name__.upper()
            raise QueryError(
                ErrorName.TYPE_MISMATCH,
                f"{what} query has different number of fields: {len(left)}, {len(right)}",
            )
        return tuple(
            replace(
                one, type=self._wider(one.type, other.type), origins=one.origins | other.origins
            )
            for one, other in zip(left, right, strict=True)
        )

    @staticmethod
    def _wider(one: exp.DataType | None, other: exp.DataType | None) -> exp.DataType | None:
        if one is None or other is None or one == other:
            return one or other
        met = common(one, other)
        if met is None:
            raise QueryError(
                ErrorName.TYPE_MISMATCH,
                f"values of one column are of different types: {trino_type_of(one)}, "
                f"{trino_type_of(other)}",
            )
        return met

    def _values(self, node: exp.Values, at: Place) -> tuple[exp.Select, tuple[Output, ...]]:
        """VALUES as a SELECT, which has names for its columns."""
        rows = [r.expressions if isinstance(r, exp.Tuple) else [r] for r in node.expressions]
        if len({len(row) for row in rows}) != 1 or not rows[0]:
            raise QueryError(ErrorName.TYPE_MISMATCH, "Values rows have mismatched sizes")
        scope = Scope(outer=at.outer)
        origins = [NOWHERE] * len(rows[0])
        for row in rows:
            for i, value in enumerate(row):
                origins[i] |= self._expression(value, scope, at)
        self._annotator.annotate_expression(node)
        kinds: list[exp.DataType | None] = [None] * len(rows[0])
        made = exp.Values(
            expressions=[
                row if isinstance(row, exp.Tuple) else exp.Tuple(expressions=[row.copy()])
                for row in node.expressions
            ]
        )
        for row in made.expressions:
            kinds = [
                self._wider(k, scopes.known(v)) for k, v in zip(kinds, row.expressions, strict=True)
            ]
        alias = self._new("s")
        names = [f"_col{i}" for i in range(len(kinds))]
        made.set("alias", table_alias(alias, names))
        columns = [scopes.column(alias, n, k) for n, k in zip(names, kinds, strict=True)]
        select = exp.Select(
            expressions=[
                exp.Alias(this=c, alias=exp.Identifier(this=n, quoted=True))
                for c, n in zip(columns, names, strict=True)
            ],
            from_=exp.From(this=made),
            **{part: node.args.get(part) for part in ("order", "limit", "offset")},
        )
        node.replace(select)
        return select, tuple(
            Output(name=n, shown=n, engine=n, type=k, origins=o)
            for n, k, o in zip(names, kinds, origins, strict=True)
        )

    def _select(self, node: exp.Select, at: Place) -> tuple[Output, ...]:
        scope = Scope(outer=at.outer)
        if node.args.get("from_") is not None:
            self._relation(node.args["from_"].this, scope, at)
        for join in node.args.get("joins") or ():
            self._join(join, scope, at)
        items = self._written_out(node, scope, at)
        for part in ("where", "having"):
            if node.args.get(part) is not None:
                self._expression(node.args[part], scope, at)
        for window in node.args.get("windows") or ():
            self._expression(window, scope, at)
        node.set("expressions", [item for item, _ in items])
        self._group(node, scope, at)
        found = [self._expression(item, scope, at) for item in list(node.expressions)]
        for item in node.expressions:
            self._annotator.annotate_expression(item)
        outputs = self._named_outputs(node, [shown for _, shown in items], found)
        self._order(node, outputs, scope, at)
        _limit(node)
        self._annotator.annotate_expression(node)
        aggregation.check(node)
        self._wanted(node)
        return outputs

    def _wanted(self, node: exp.Select) -> None:
        """Note what rows of the tables after FROM must fulfil."""
        used = {one.alias: one for one in self.used.values()}
        for table in aggregation.relations(node):
            # What is sampled is sampled before it is filtered.
            if isinstance(table, exp.Table) and table.name in used and not table.args.get("sample"):
                found = pruning.conditions(node.args.get("where"), table.alias)
                used[table.name].wanted.append(found)

    def _written_out(
        self, node: exp.Select, scope: Scope, at: Place
    ) -> list[tuple[exp.Expression, str]]:
        """The select list without `*`, each with the name it shows, empty for none."""
        items: list[tuple[exp.Expression, str]] = []
        for item in node.expressions:
            if isinstance(item, exp.Star):
                fields = scope.fields()
                if not fields:
                    raise self._unsupported("SELECT * without columns to show", node, at)
                items += [(self._value(f), f.shown or f.name) for f in fields]
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                items += [
                    (self._value(f), f.shown or f.name) for f in self._all_of(item, scope, at)
                ]
            elif isinstance(item, exp.Alias):
                items.append((item.this, item.args["alias"].name))
            elif isinstance(item, exp.Column):
                items.append((item, item.name.lower()))
            elif isinstance(item, exp.Dot):
                items.append((item, item.expression.name.lower()))
            else:
                items.append((item, ""))
        if len(items) > MAX_COLUMNS:
            raise self._unsupported(f"more than {MAX_COLUMNS} columns", node, at)
        return items

    def _all_of(self, item: exp.Column, scope: Scope, at: Place) -> Sequence[Field]:
        parts = [part.name.lower() for part in item.parts[:-1]]
        sources = scopes.named(scope, parts)
        if len(sources) != 1:
            line, column = at.of(item.parts[0])
            raise QueryError(
                ErrorName.TABLE_NOT_FOUND,
                f"Unable to resolve reference {'.'.join(parts)}",
                line=line,
                column=column,
            )
        return sources[0].fields

    def _named_outputs(
        self, node: exp.Select, names: Sequence[str], found: Sequence[Origins]
    ) -> tuple[Output, ...]:
        """Give each column of the result a name of its own in the engine."""
        taken: set[str] = set()
        outputs = []
        made = []
        for i, (item, shown, origins) in enumerate(
            zip(list(node.expressions), names, found, strict=True)
        ):
            engine = (shown or f"_col{i}").lower()
            while engine in taken:
                engine += f"_{i}"
            taken.add(engine)
            kind = scopes.known(item)
            outputs.append(
                Output(
                    name=shown.lower(),
                    shown=shown or f"_col{i}",
                    engine=engine,
                    type=kind,
                    origins=origins,
                )
            )
            item.pop()
            alias = exp.Alias(this=item, alias=exp.Identifier(this=engine, quoted=True))
            alias.type = item.type
            made.append(alias)
        node.set("expressions", made)
        return tuple(outputs)

    def _group(self, node: exp.Select, scope: Scope, at: Place) -> None:
        group = node.args.get("group")
        if group is None:
            return
        items = node.expressions
        for element in list(group.expressions):
            if _is_number(element):
                if not 1 <= int(element.name) <= len(items):
                    raise _no_position("GROUP BY", element.name)
                continue
            for literal in list(element.find_all(exp.Literal)):
                if isinstance(
                    literal.parent, exp.Rollup | exp.Cube | exp.GroupingSets
                ) and _is_number(literal):
                    raise self._unsupported("positions within grouping sets", element, at)
            self._expression(element, scope, at)

    def _order(self, node: exp.Select, outputs: Sequence[Output], scope: Scope, at: Place) -> None:
        values: dict[str, exp.Expression] = {}
        for output, item in zip(outputs, node.expressions, strict=True):
            if output.name:
                values.setdefault(output.name, item.this)
        for ordered in _ordered(node):
            ordinal = self._ordinal(ordered.this, outputs, at)
            if ordinal is not None:
                ordered.set("this", ordinal)
                continue
            for column in list(ordered.find_all(exp.Column)):
                within = column.find_ancestor(exp.Query)
                plain = len(column.parts) == 1 and isinstance(column.this, exp.Identifier)
                if plain and within is node and column.name.lower() in values:
                    value = values[column.name.lower()].copy()
                    value.meta["resolved"] = True
                    column.replace(exp.Paren(this=value))
            self._expression(ordered, scope, at)

    def _ordinal(
        self, key: exp.Expression, outputs: Sequence[Output], at: Place
    ) -> exp.Literal | None:
        """The position of the result's column that ORDER BY names; None for an expression."""
        if _is_number(key):
            if not 1 <= int(key.name) <= len(outputs):
                raise _no_position("ORDER BY", key.name)
            return _position(int(key.name))
        if isinstance(key, exp.Literal):
            raise self._unsupported("ORDER BY a constant", key, at)
        if not (isinstance(key, exp.Column) and len(key.parts) == 1):
            return None
        name = key.name.lower()
        found = [i for i, output in enumerate(outputs) if output.name == name]
        if len(found) > 1 and len({outputs[i].origins for i in found}) > 1:
            line, column = at.of(key.this)
            raise QueryError(
                ErrorName.AMBIGUOUS_NAME, f"Column '{name}' is ambiguous", line=line, column=column
            )
        return _position(found[0] + 1) if found else None


def _is_key(ordered: exp.Expression) -> bool:
    """Whether ORDER BY names a column of the result, or its position."""
    key = ordered.this
    return _is_number(key) or (isinstance(key, exp.Column) and len(key.parts) == 1)


def _around(node: exp.SetOperation) -> exp.Select:
    """A set operation that is ordered by expressions over its columns, as a query of its rows."""
    outer = ("with_", "order", "limit", "offset")
    parts = {name: node.args.get(name) for name in outer}
    select = exp.Select(expressions=[exp.Star()])
    node.replace(select)
    for name, part in parts.items():
        node.set(name, None)
        select.set(name, part)
    select.set("from_", exp.From(this=exp.Subquery(this=node)))
    return select


def _ordered(node: exp.Expression) -> list[exp.Expression]:
    order = node.args.get("order")
    return list(order.expressions) if order is not None else []


def _limit(node: exp.Expression) -> None:
    """FETCH and LIMIT ALL as the engine says them."""
    limit = node.args.get("limit")
    if isinstance(limit, exp.Fetch):
        count = limit.args.get("count") or exp.Literal.number(1)
        node.set("limit", exp.Limit(expression=count))
    elif isinstance(limit, exp.Limit) and isinstance(limit.expression, exp.Var):
        node.set("limit", None)


def _is_number(node: exp.Expression) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit()


def _position(at: int) -> exp.Literal:
    return exp.Literal(this=str(at), is_string=False)


def _no_position(clause: str, position_: str) -> QueryError:
    return QueryError(
        ErrorName.INVALID_COLUMN_REFERENCE,
        f"{clause} position {position_} is not in select list",
    )
