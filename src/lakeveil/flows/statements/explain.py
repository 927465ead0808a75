"""EXPLAIN: what a query would read, in words of our own.

An engine's plan holds the policy, in the conditions of its filters, and the paths of files. So the
plan is made here from the checked query: the tables, the columns that it reads of each, and the
result. The query has to be one that would run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.run_query import Asked, govern
from lakeveil.flows.statements.answers import Answer, said
from lakeveil.sql.relations import CheckedQuery
from lakeveil.sql.statements import CreateTableAs, Explain, Insert, Query, Select, Unload


def explain(statement: Explain, asked: Asked) -> Answer:
    """EXPLAIN, as text or JSON; of TYPE VALIDATE whether it would run.

    Raises:
        QueryError: it would not; NOT_SUPPORTED, another form is asked for.
    """
    if statement.analyze:
        raise QueryError(ErrorName.NOT_SUPPORTED, "EXPLAIN ANALYZE is not supported")
    if statement.format not in {"text", "json"}:
        raise QueryError(ErrorName.NOT_SUPPORTED, "EXPLAIN has FORMAT TEXT or JSON here")
    checked = govern(_query(statement), asked).checked
    if statement.type == "validate":
        return said(("Valid",), [["true"]], asked)
    form = _json if statement.format == "json" else _text
    return said(("Query Plan",), ([line] for line in form(checked)), asked)


def _query(statement: Explain) -> Query:
    inner = statement.statement
    if isinstance(inner, Select | CreateTableAs | Insert | Unload):
        return inner.query
    raise QueryError(ErrorName.NOT_SUPPORTED, "EXPLAIN is of queries, and of what is made of one")


def _text(checked: CheckedQuery) -> Iterator[str]:
    columns = ", ".join(f"{column.name}:{column.type}" for column in checked.columns)
    yield f"- Output[{columns}]"
    for used in checked.relations:
        names = ", ".join(sorted(used.columns))
        yield f"    - TableScan[awsdatacatalog:{used.relation.name}] => [{names}]"


def _json(checked: CheckedQuery) -> Iterator[str]:
    plan = {
        "name": "Output",
        "outputs": [{"name": column.name, "type": column.type} for column in checked.columns],
        "children": [
            {
                "name": "TableScan",
                "table": f"awsdatacatalog:{used.relation.name}",
                "columns": sorted(used.columns),
            }
            for used in checked.relations
        ],
    }
    yield from json.dumps(plan, indent=2).splitlines()
