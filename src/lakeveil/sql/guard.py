"""The guard: a query as its user wrote it becomes the one that is run, or a refusal.

In order: parse, refuse what isn't listed, resolve names as the principal sees them, type, rewrite
Trino's meaning into the engine's, and write SQL anew. The user's own text goes no further. The
last step looks at the finished tree once more: it may name nothing but what was made here.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql import allowed, conditions
from lakeveil.sql.dialect import to_engine
from lakeveil.sql.expressions import Output
from lakeveil.sql.functions import allowed as call_allowed
from lakeveil.sql.kept import checked_before
from lakeveil.sql.names import Resolver
from lakeveil.sql.parse import parse
from lakeveil.sql.relations import Catalog, CheckedQuery, OutputColumn, UsedRelation
from lakeveil.sql.statements import Query, Select
from lakeveil.sql.types import kind_of, trino_type_of

CATALOGS = frozenset({"awsdatacatalog"})
"""Names by which the catalog itself can be called."""


def check_query(
    query: str | Query,
    *,
    catalog: Catalog,
    database: str,
    parameters: Sequence[str] = (),
    now: float,
    catalogs: frozenset[str] = CATALOGS,
) -> CheckedQuery:
    """Check a query and regenerate it for the engine.

    `query` is a statement's text, or the query of one that was parsed, whose parameters were bound
    then. `database` is where unqualified names are looked for; `now` (UTC seconds) is the time
    that time travel counts from. Columns of the result are told by position: in the engine's
    answer two of the same name have different ones.

    Raises:
        QueryError: with Trino's name of what is wrong, and where.
    """
    if isinstance(query, str):
        statement = parse(query, parameters)
        if not isinstance(statement, Select):
            raise QueryError(ErrorName.NOT_SUPPORTED, "only a query can be run here")
        query = statement.query
    read = query

    def check(asked: Catalog) -> CheckedQuery:
        return _checked(read, catalog=asked, database=database, now=now, catalogs=catalogs)

    try:
        return checked_before(read, check, catalog=catalog, context=(database, catalogs))
    except RecursionError:
        raise QueryError(ErrorName.NOT_SUPPORTED, "the query nests too deep") from None


def _checked(
    query: Query, *, catalog: Catalog, database: str, now: float, catalogs: frozenset[str]
) -> CheckedQuery:
    tree = query.tree.copy()
    allowed.check(tree, query.whole, call_allowed)
    resolver = Resolver(catalog, catalogs=catalogs, now=now)
    resolved, outputs = resolver.resolve(tree, text=query.whole, database=database)
    conditions.check(resolved)
    columns = tuple(_column(output) for output in outputs)
    made = to_engine(resolved)
    _assert_ours(made, {used.alias for used in resolver.used.values()})
    return CheckedQuery(
        sql=_written(made),
        columns=columns,
        relations=tuple(
            UsedRelation(
                alias=used.alias,
                relation=used.relation,
                columns=frozenset(used.columns),
                as_of=used.as_of,
                wanted=tuple(used.wanted) if len(used.wanted) == used.places else (),
            )
            for used in resolver.used.values()
        ),
        views=frozenset(resolver.views),
    )


def _column(output: Output) -> OutputColumn:
    kind = output.type
    return OutputColumn(
        name=output.shown,
        type=trino_type_of(kind) if kind is not None and kind_of(kind) else "unknown",
        sources=output.origins,
    )


def _assert_ours(tree: exp.Expr, aliases: set[str]) -> None:
    """Refuse a finished tree that names a relation which wasn't made by us.

    Nothing is known to get here; a mistake above must not get any further.
    """
    common = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if (
            not isinstance(table.this, exp.Identifier)
            or table.args.get("db")
            or table.args.get("catalog")
            or table.name not in aliases | common
        ):
            raise QueryError(ErrorName.GENERIC_INTERNAL_ERROR, "the query could not be rewritten")
    if tree.find(exp.Command, exp.Placeholder, exp.Parameter, exp.ReadCSV, exp.ReadParquet):
        raise QueryError(ErrorName.GENERIC_INTERNAL_ERROR, "the query could not be rewritten")


def _written(tree: exp.Expr) -> str:
    try:
        return tree.sql(
            dialect="duckdb",
            identify=True,
            comments=False,
            copy=False,
            unsupported_level=ErrorLevel.RAISE,
        )
    except (SqlglotError, ValueError, TypeError, AttributeError):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "a part of the query has no form that the engine knows"
        ) from None
