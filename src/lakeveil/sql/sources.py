"""Relations resolved: what stands after FROM, and what of it can be named.

Tables become `r0`, `r1`, ..., views are written out with the rights of who asks. Whatever is wrong
within a view is told in the same words: it may name what its reader must not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from lakeveil.core.access.grants import TableName
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql import allowed, scopes, syntax, unnest
from lakeveil.sql.expressions import Expressions, Output, Place, Used
from lakeveil.sql.functions import allowed as call_allowed
from lakeveil.sql.relations import Relation
from lakeveil.sql.scopes import Field, Scope, Source
from lakeveil.sql.time_travel import as_of
from lakeveil.sql.types import hive_type
from lakeveil.sql.wanted import wanted
from lakeveil.sql.words import read

MAX_VIEWS = 16
"""How deep views stand in views."""
MAX_EXPANSIONS = 256
"""How often views are written out in one query."""


class Sources(Expressions):
    """Resolves relations."""

    def _relation(self, node: exp.Expression, scope: Scope, at: Place) -> None:
        """Make known what stands after FROM or JOIN."""
        if isinstance(node, exp.Table):
            joins = node.args.get("joins") or []
            self._table(node, scope, at)
            for join in joins:
                self._join(join, scope, at)
        elif isinstance(node, exp.Subquery) and isinstance(node.unnest(), exp.Table):
            self._parenthesised(node, scope, at)
        elif isinstance(node, exp.Subquery):
            self._derived(node, scope, replace(at, outer=scope.outer))
        elif isinstance(node, exp.Values):
            alias = node.args.get("alias")
            node.set("alias", None)
            derived = exp.Subquery(this=node.copy(), alias=alias)
            node.replace(derived)
            self._derived(derived, scope, replace(at, outer=scope.outer))
        elif isinstance(node, exp.Lateral):
            subquery = node.this
            subquery.set("alias", node.args.get("alias"))
            self._derived(subquery, scope, replace(at, outer=scope))
            node.set("alias", subquery.args["alias"])
            subquery.set("alias", None)
        elif isinstance(node, exp.Unnest):
            self._unnest(node, scope, at)
        else:
            raise self._unsupported("this as a relation", node, at)

    def _parenthesised(self, node: exp.Subquery, scope: Scope, at: Place) -> None:
        if [name for name, value in node.args.items() if value and name != "this"]:
            raise self._unsupported("an alias for relations in parentheses", node, at)
        inner = node.this
        self._relation(inner, scope, at)
        lone = isinstance(node.this, exp.Table) and not node.this.args.get("joins")
        if lone or node.this is not inner:
            node.replace(node.this)  # The engine knows no parentheses around one table.

    def _join(self, join: exp.Join, scope: Scope, at: Place) -> None:
        before = len(scope.sources)
        merged = dict(scope.merged)
        left = Scope(sources=list(scope.sources), merged=merged)
        self._relation(join.this, scope, at)
        if join.args.get("on") is not None:
            self._expression(join.args["on"], scope, at)
            self._annotator.annotate_expression(join.args["on"])
        if not join.args.get("using"):
            return
        right = Scope(sources=scope.sources[before:])
        conditions = []
        fresh: dict[str, Field] = {}
        for identifier in join.args["using"]:
            name = identifier.name.lower()
            place = at.of(identifier)
            pair = [scopes.lookup(side, [name], place)[0] for side in (left, right)]
            one, other = (self._value(found) for found in pair)
            conditions.append(exp.EQ(this=one, expression=other))
            fresh[name] = self._merged(name, join.side.upper(), pair)
        join.set("using", None)
        join.set("on", exp.and_(*conditions, copy=False))
        scope.merged = {**fresh, **{n: f for n, f in merged.items() if n not in fresh}}

    def _merged(self, name: str, side: str, pair: Sequence[Field]) -> Field:
        one, other = pair
        if side == "FULL":
            value: exp.Expression = exp.Anonymous(
                this="coalesce", expressions=[one.value.copy(), other.value.copy()]
            )
            self._annotator.annotate_expression(value)
        else:
            value = (other if side == "RIGHT" else one).value
        return Field(name=name, value=value, origins=one.origins | other.origins)

    def _table(self, node: exp.Table, scope: Scope, at: Place) -> None:
        name, database = node.name.lower(), node.db.lower()
        alias = node.args.get("alias")
        shown = alias.this.name.lower() if alias is not None and alias.this else ""
        engine = self._new("s")
        place = at.of(node.this)
        if not database and name in at.common:
            common = at.common[name]
            if node.args.get("version"):
                raise self._unsupported("time travel in a common table expression", node, at)
            outputs = self._renamed(common.outputs, alias, at)
            _retarget(node, common.engine, engine)
            scope.add(Source(name=shown or name, fields=_fields(outputs, engine)), place)
            return
        relation = self._found(node, at)
        version = node.args.get("version")
        source = Source(
            name=shown or name,
            fields=(),
            database="" if shown else relation.name.database,
            catalog="" if shown else node.catalog.lower() or "awsdatacatalog",
        )
        if relation.view is not None:
            if version is not None:
                raise self._unsupported("time travel in a view", node, at)
            fields = self._view(node, relation, engine, at)
        else:
            fields = self._base(node, relation, engine, at)
        scope.add(replace(source, fields=self._renamed_fields(fields, alias, at)), place)

    def _found(self, node: exp.Table, at: Place) -> Relation:
        name, catalog = node.name.lower(), node.catalog.lower()
        database = node.db.lower() or at.database.lower()
        line, column = at.of(node.parts[0])
        if catalog == "system":
            database = f"system.{database}"
        elif catalog and catalog not in self._catalogs:
            raise QueryError(
                ErrorName.CATALOG_NOT_FOUND,
                f"Catalog '{catalog}' does not exist",
                line=line,
                column=column,
            )
        relation = self._catalog.relation(database, name, where=wanted(node)) if database else None
        if relation is not None:
            return relation
        if "$" in name:
            raise self._unsupported("metadata tables", node, at)
        if not database or not self._catalog.has_database(database):
            raise QueryError(
                ErrorName.SCHEMA_NOT_FOUND,
                f"Schema '{database}' does not exist",
                line=line,
                column=column,
            )
        raise QueryError(
            ErrorName.TABLE_NOT_FOUND,
            f"Table '{catalog or 'awsdatacatalog'}.{database}.{name}' does not exist",
            line=line,
            column=column,
        )

    def _base(
        self, node: exp.Table, relation: Relation, engine: str, at: Place
    ) -> tuple[Field, ...]:
        version = node.args.get("version")
        when = as_of(version, now=self._now) if version is not None else None
        if when is not None and not relation.iceberg:
            raise self._unsupported("time travel in a table without snapshots", node, at)
        key = (relation.name, when)
        if key not in self.used:
            alias = f"r{len(self.used)}"
            self.used[key] = Used(alias=alias, relation=relation, as_of=when)
        used = self.used[key]
        used.places += 1
        _retarget(node, used.alias, engine)
        return tuple(
            Field(
                name=column.name,
                value=scopes.column(engine, column.name, _type_of(column.type)),
                origins=frozenset({(relation.name, column.name)}),
                alias=used.alias,
            )
            for column in relation.columns
        )

    def _view(
        self, node: exp.Table, relation: Relation, engine: str, at: Place
    ) -> tuple[Field, ...]:
        name = relation.name
        try:
            inner, outputs = self._written_out_view(relation, at)
            fields = [
                _view_field(column.name, outputs, engine, name) for column in relation.columns
            ]
        except QueryError:
            # What is wrong within a view is told to nobody who only reads it: it names columns.
            line, column = at.of(node.this)
            raise QueryError(
                ErrorName.INVALID_VIEW,
                f"View 'awsdatacatalog.{name}' is stale or in invalid state",
                line=line,
                column=column,
            ) from None
        self.views.add(name)
        inner.set("alias", table_alias(engine))
        inner.set("sample", node.args.get("sample"))
        node.replace(inner)
        return tuple(fields)

    def _written_out_view(
        self, relation: Relation, at: Place
    ) -> tuple[exp.Subquery, tuple[Output, ...]]:
        text = relation.view or ""
        self._expanded += 1
        deep = len(at.inside) >= MAX_VIEWS or self._expanded > MAX_EXPANSIONS
        if relation.name in at.inside or deep:
            raise QueryError(ErrorName.INVALID_VIEW, "views stand in each other")
        inner = exp.Subquery(this=syntax.query(read(text).rest()).tree)
        allowed.check(inner.this, text, call_allowed)
        place = Place(
            text=text,
            database=relation.view_database or relation.name.database,
            inside=(*at.inside, relation.name),
        )
        return inner, self.query(inner.this, place)

    def _derived(self, node: exp.Subquery, scope: Scope, at: Place) -> None:
        alias = node.args.get("alias")
        node.set("alias", None)
        place = at.of(alias.this) if alias is not None and alias.this else (0, 0)
        outputs = self._renamed(self.query(node, at), alias, at)
        engine = self._new("s")
        node.set("alias", table_alias(engine))
        name = alias.this.name.lower() if alias is not None and alias.this else ""
        scope.add(Source(name=name, fields=_fields(outputs, engine)), place)

    def _unnest(self, node: exp.Unnest, scope: Scope, at: Place) -> None:
        origins = [self._expression(value, scope, at) for value in list(node.expressions)]
        for value in node.expressions:
            self._annotator.annotate_expression(value)
        alias = node.args.get("alias")
        offset = node.args.get("offset")
        names = [c.name.lower() for c in (alias.args.get("columns") or ())] if alias else []
        if isinstance(offset, exp.Identifier):
            names.append(offset.name.lower())
        engine = self._new("s")
        fields = unnest.fields(
            node.expressions, origins, engine, names=names, ordinality=bool(offset)
        )
        columns = [f"c{i}" for i in range(len(fields))]
        if offset:
            node.set("offset", exp.Identifier(this=columns.pop(), quoted=True))
        node.set("alias", table_alias(engine, columns))
        name = alias.this.name.lower() if alias is not None and alias.this else ""
        scope.add(Source(name=name, fields=fields), (0, 0))

    def _renamed(
        self, outputs: tuple[Output, ...], alias: exp.Expression | None, at: Place
    ) -> tuple[Output, ...]:
        names = _alias_columns(alias, len(outputs), at)
        if not names:
            return outputs
        return tuple(
            replace(output, name=name.lower(), shown=name)
            for output, name in zip(outputs, names, strict=True)
        )

    def _renamed_fields(
        self, fields: tuple[Field, ...], alias: exp.Expression | None, at: Place
    ) -> tuple[Field, ...]:
        names = _alias_columns(alias, len(fields), at)
        if not names:
            return fields
        return tuple(
            replace(one, name=name.lower(), shown=name)
            for one, name in zip(fields, names, strict=True)
        )


def _type_of(hive: str) -> exp.DataType | None:
    # A column of a type that isn't known here only matters to who uses it.
    try:
        return hive_type(hive)
    except QueryError:
        return None


def _view_field(name: str, outputs: Sequence[Output], engine: str, view: TableName) -> Field:
    found = [output for output in outputs if output.name == name]
    if len(found) != 1:
        raise QueryError(ErrorName.INVALID_VIEW, "a column of the view isn't in its query")
    return Field(
        name=name,
        value=scopes.column(engine, found[0].engine, found[0].type),
        origins=found[0].origins | {(view, name)},
    )


def _fields(outputs: Sequence[Output], engine: str) -> tuple[Field, ...]:
    return tuple(
        Field(
            name=output.name,
            value=scopes.column(engine, output.engine, output.type),
            origins=output.origins,
            shown=output.shown if output.name else "",
        )
        for output in outputs
    )


def table_alias(name: str, columns: Sequence[str] = ()) -> exp.TableAlias:
    """An alias of ours."""
    return exp.TableAlias(
        this=exp.Identifier(this=name, quoted=True),
        columns=[exp.Identifier(this=column, quoted=True) for column in columns] or None,
    )


def _alias_columns(alias: exp.Expression | None, width: int, at: Place) -> list[str]:
    names = [c.name for c in (alias.args.get("columns") or ())] if alias is not None else []
    if names and len(names) != width:
        line, column = syntax.place(alias, at.text) if alias is not None else (0, 0)
        raise QueryError(
            ErrorName.MISMATCHED_COLUMN_ALIASES,
            f"Column alias list has {len(names)} entries but the relation has {width} columns",
            line=line,
            column=column,
        )
    return names


def _retarget(node: exp.Table, name: str, alias: str) -> None:
    for part in ("db", "catalog", "version"):
        node.set(part, None)
    node.set("this", exp.Identifier(this=name, quoted=True))
    node.set("alias", table_alias(alias))
