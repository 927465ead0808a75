"""The types of lambdas' parameters, which are known only once the arrays beside them are."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.functions.lambdas import uses

MAX_DEPTH = 5
"""Of lambdas inside lambdas: types are found again at each level."""


def bind_parameters(annotator: Any, function: exp.Lambda, types: list[exp.DataType]) -> None:
    """Give a lambda's parameters their types and annotate its body again."""
    depth, above = 0, function.parent
    while above is not None:
        depth += isinstance(above, exp.Lambda)
        above = above.parent
    if depth > MAX_DEPTH:
        raise QueryError(ErrorName.NOT_SUPPORTED, "Lambdas are nested too deeply")
    if len(function.expressions) != len(types):
        raise QueryError(
            ErrorName.INVALID_ARGUMENTS,
            f"Expected a lambda that takes {len(types)} argument(s) but got "
            f"{len(function.expressions)}",
        )
    body = function.this
    if body.find(exp.Query):
        raise QueryError(ErrorName.NOT_SUPPORTED, "Lambda expression cannot contain subqueries")
    visited = annotator._visited  # noqa: SLF001
    for node in body.walk():
        if not isinstance(node, exp.Column | exp.Literal | exp.DataType | exp.Identifier):
            visited.pop(id(node), None)
    for parameter, data_type in zip(function.expressions, types, strict=True):
        for use in uses(body, parameter.name):
            annotator._set_type(use, data_type.copy())  # noqa: SLF001
    annotator.annotate_expression(body)
    annotator._set_type(function, body.type)  # noqa: SLF001
