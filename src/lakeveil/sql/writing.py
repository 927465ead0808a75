"""DELETE, UPDATE and MERGE as the queries whose rows a table has afterwards.

Writes are copy-on-write: what a statement leaves of a table is a query over it, checked by the
guard as any other, and its result replaces the table's files. Whoever writes must see every column
and row of the table; that is for the caller to demand. Columns come in the order given, under
their own names, in types that the writer casts to the table's.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.statements import Condition, Delete, Merge, MergeCase, Query, TableRef, Update

_MATCHED, _ROW = "$matched", "$row"


def kept_rows(statement: Delete, columns: Sequence[str]) -> Query:
    """What a DELETE leaves."""
    alias = statement.alias or statement.table.table
    rows = exp.Not(this=_true(_tree(statement.where)))
    select = _select([_of(alias, name) for name in columns], columns)
    return _query(_where(_from(select, statement.table, alias), rows), statement.where)


def touched_rows(statement: Delete | Update) -> Query:
    """How many rows a DELETE removes or an UPDATE changes: one number."""
    alias = statement.alias or statement.table.table
    select = _select([_call("count", exp.Star())], ["rows"])
    rows = _true(_tree(statement.where))
    return _query(_where(_from(select, statement.table, alias), rows), statement.where)


def updated_rows(statement: Update, columns: Sequence[str]) -> Query:
    """What an UPDATE leaves.

    Raises:
        QueryError: COLUMN_NOT_FOUND, it sets a column that isn't among `columns`.
    """
    alias = statement.alias or statement.table.table
    assigned = dict(statement.assignments)
    _demand_columns(assigned, columns, statement.table)
    rows = _true(_tree(statement.where))
    values = [
        _case([(rows.copy(), assigned[name].tree.copy())], _of(alias, name))
        if name in assigned
        else _of(alias, name)
        for name in columns
    ]
    select = _from(_select(values, columns), statement.table, alias)
    return _query(select, statement.where or statement.assignments[0][1])


def merged_rows(statement: Merge, columns: Sequence[str]) -> Query:
    """What a MERGE leaves: the table's rows, some changed, some gone, and those that are new.

    Raises:
        QueryError: COLUMN_NOT_FOUND, it sets a column that isn't among `columns`.
    """
    for case in statement.cases:
        _demand_columns(case.columns, columns, statement.table)
    parts: list[exp.Expression] = [_changed(statement, columns)]
    if any(not case.matched for case in statement.cases):
        parts.append(_inserted(statement, columns))
    tree = parts[0]
    for part in parts[1:]:
        tree = exp.Union(this=tree, expression=part, distinct=False)
    return _query(tree, statement.on)


def most_matches(statement: Merge) -> Query:
    """How many rows of the source change the same row of the table, at most: one number.

    More than one is an error of MERGE; NULL is none at all.
    """
    alias = statement.alias or statement.table.table
    numbered = _from(_select([exp.Star()], []), statement.table, alias)
    number = exp.Window(this=_call("row_number"), over="OVER")
    numbered.append("expressions", _named(number, _ROW))
    counted = _select([_call("count", exp.Star())], ["n"])
    counted.set("from_", exp.From(this=_derived(numbered, alias)))
    counted.append("joins", exp.Join(this=statement.source.tree.copy(), on=_tree(statement.on)))
    applies = [_applies(case) for case in statement.cases if case.matched]
    _where(counted, _any(applies))
    counted.set("group", exp.Group(expressions=[_of(alias, _ROW)]))
    outer = _select([_call("max", _of("c", "n"))], ["most"])
    outer.set("from_", exp.From(this=_derived(counted, "c")))
    return _query(outer, statement.on)


def _changed(statement: Merge, columns: Sequence[str]) -> exp.Select:
    alias = statement.alias or statement.table.table
    source = _source_alias(statement)
    cases = [case for case in statement.cases if case.matched]
    matched = exp.Not(this=exp.Is(this=_of(source, _MATCHED), expression=exp.Null()))
    # Only the first case that applies counts: an earlier one of another kind stops a later.
    conditions = [exp.And(this=matched.copy(), expression=_applies(case)) for case in cases]
    values = []
    for name in columns:
        own = _of(alias, name)
        branches = [
            (condition.copy(), dict(zip(case.columns, case.values, strict=True)).get(name))
            for case, condition in zip(cases, conditions, strict=True)
        ]
        changed = [(c, own.copy() if v is None else v.tree.copy()) for c, v in branches]
        values.append(_case(changed, own))
    select = _from(_select(values, columns), statement.table, alias)
    marked = _select([exp.Star()], [])
    marked.append("expressions", _named(exp.Boolean(this=True), _MATCHED))
    marked.set("from_", exp.From(this=statement.source.tree.copy()))
    select.append(
        "joins", exp.Join(this=_derived(marked, source), on=_tree(statement.on), side="LEFT")
    )
    gone = [
        (condition.copy(), exp.Boolean(this=case.action == "delete"))
        for case, condition in zip(cases, conditions, strict=True)
    ]
    return _where(select, exp.Not(this=_case(gone, exp.Boolean(this=False))))


def _inserted(statement: Merge, columns: Sequence[str]) -> exp.Select:
    alias = statement.alias or statement.table.table
    cases = [case for case in statement.cases if not case.matched]
    values = []
    for name in columns:
        branches = []
        for case in cases:
            given = dict(zip(case.columns or columns, case.values, strict=False))
            value = given[name].tree.copy() if name in given else exp.Null()
            branches.append((_applies(case), value))
        values.append(_case(branches, exp.Null()))
    select = _select(values, columns)
    select.set("from_", exp.From(this=statement.source.tree.copy()))
    known = _from(_select([exp.Literal.number(1)], ["one"]), statement.table, alias)
    known = _where(known, _tree(statement.on))
    rows = exp.And(this=exp.Not(this=exp.Exists(this=known)), expression=_any(map(_applies, cases)))
    return _where(select, rows)


def _demand_columns(
    named: Sequence[str] | dict[str, Condition], columns: Sequence[str], table: TableRef
) -> None:
    for name in named:
        if name not in columns:
            raise QueryError(
                ErrorName.COLUMN_NOT_FOUND,
                f"Column '{name}' cannot be resolved",
                line=table.line,
                column=table.column,
            )


def _source_alias(statement: Merge) -> str:
    found = statement.source.tree.alias_or_name
    if not found:
        raise QueryError(ErrorName.NOT_SUPPORTED, "the source of MERGE needs an alias")
    return str(found).lower()


def _applies(case: MergeCase) -> exp.Expression:
    return _true(_tree(case.condition))


def _tree(condition: Condition | None) -> exp.Expression:
    if condition is None:
        return exp.Boolean(this=True)
    return exp.Paren(this=condition.tree.copy())


def _true(value: exp.Expression) -> exp.Expression:
    return _call("coalesce", value, exp.Boolean(this=False))


def _any(conditions: Sequence[exp.Expression] | map[exp.Expression]) -> exp.Expression:
    made: exp.Expression = exp.Boolean(this=False)
    for condition in conditions:
        made = exp.Or(this=made, expression=condition)
    return exp.Paren(this=made)


def _case(
    branches: Sequence[tuple[exp.Expression, exp.Expression]], otherwise: exp.Expression
) -> exp.Expression:
    if not branches:
        return otherwise
    ifs = [exp.If(this=condition, true=value) for condition, value in branches]
    return exp.Case(ifs=ifs, default=otherwise)


def _select(values: Sequence[exp.Expression], names: Sequence[str]) -> exp.Select:
    if not names:
        return exp.Select(expressions=list(values))
    return exp.Select(expressions=[_named(v, n) for v, n in zip(values, names, strict=True)])


def _from(select: exp.Select, table: TableRef, alias: str) -> exp.Select:
    parts = {"this": table.table, "db": table.database, "catalog": table.catalog}
    node = exp.Table(**{part: _name(name) for part, name in parts.items() if name})
    node.set("alias", exp.TableAlias(this=_name(alias)))
    select.set("from_", exp.From(this=node))
    return select


def _where(select: exp.Select, condition: exp.Expression) -> exp.Select:
    select.set("where", exp.Where(this=condition))
    return select


def _derived(query: exp.Expression, alias: str) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=_name(alias)))


def _named(value: exp.Expression, name: str) -> exp.Alias:
    return exp.Alias(this=value, alias=_name(name))


def _of(alias: str, name: str) -> exp.Column:
    return exp.Column(this=_name(name), table=_name(alias))


def _name(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)


def _call(name: str, *values: exp.Expression) -> exp.Expression:
    aggregate = name in {"count", "max", "row_number"}
    kind = exp.AnonymousAggFunc if aggregate else exp.Anonymous
    return kind(this=name, expressions=list(values))


def _query(tree: exp.Expression, of: Condition | None) -> Query:
    return Query("", tree, of.whole if of is not None else "")
