"""Arrays, maps and lambdas.

https://trino.io/docs/current/functions/array.html, .../map.html, .../lambda.html. Where a result
is without duplicates, the first ones stay, in their order.
"""

from __future__ import annotations

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.coercion import coerces, same
from lakeveil.sql.functions.casts import to_text
from lakeveil.sql.functions.lambdas import pair_lambda
from lakeveil.sql.functions.table import Call, Rewrite, fn, let, refused, section
from lakeveil.sql.functions.templates import call, cast, fill
from lakeveil.sql.types import array_of, inner_of

MAX_SEQUENCE = 10_000
"""Entries that `sequence` and `repeat` make at most, as in Trino."""

MAX_NGRAMS = 1_000_000
"""Entries in all the n-grams of an array."""

_UNIQUE = "list_filter({0}, lambda lv_e, lv_i: list_position({0}, lv_e) = lv_i)"
_DISTINCT = let("_0", _UNIQUE.format("lv_v"))
_HAS_NULL = "list_count({0}) < len({0})"


def _checked_nulls(inner: str) -> str:
    return f"CASE WHEN _0 IS NULL OR _1 IS NULL THEN NULL ELSE {inner} END"


def _quantified(found: str, missed: str, wanted: str) -> str:
    """Three-valued: a NULL among the answers leaves it open."""
    body = (
        f"CASE WHEN list_contains(lv_v, {wanted}) THEN {found} "
        f"WHEN {_HAS_NULL.format('lv_v')} THEN NULL ELSE {missed} END"
    )
    value = "list_transform(_0, _1)"
    return f"CASE WHEN _0 IS NULL THEN NULL ELSE {let(value, body)} END"


def _join(one: Call) -> exp.Expr:
    text = to_text(exp.to_identifier("lv_t"), inner_of(one.types[0])[0])
    if len(one.args) > 2:  # noqa: PLR2004
        text = call("coalesce", text, one.args[2].copy())
    shown = exp.Lambda(this=text, expressions=[exp.to_identifier("lv_t")])
    return fill("array_to_string(list_transform(_0, _2), _1)", [*one.args[:2], shown])


def _reduce(one: Call) -> exp.Expr:
    """The engine folds into the elements' own type only."""
    if not same(one.types[2], one.types[1]):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "reduce: its state and its function must be of one type"
        )
    state = one.types[1]
    given = one.given[0].type
    elements = inner_of(given) if isinstance(given, exp.DataType) else []
    if not (state and elements and coerces(elements[0], state)):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "reduce: the elements must coerce to the type of its state"
        )
    items = cast(one.args[0], array_of(state))
    folded = fill(
        "CASE WHEN _0 IS NULL THEN NULL ELSE list_reduce(_0, _2, _1) END",
        [items, cast(one.args[1], state), one.args[2]],
    )
    return fill("list_extract(list_transform([_0], _1), 1)", [folded, one.args[3]])


_SEQUENCE = (
    "CASE WHEN {step} = 0 OR (_1 > _0 AND {step} < 0) OR (_1 < _0 AND {step} > 0) "
    f"OR (_1 - _0) // {{step}} >= {MAX_SEQUENCE} THEN error('INVALID_FUNCTION_ARGUMENT', _0) "
    "ELSE generate_series(_0, _1, {step}) END"
)
_DAYS = (
    f"CASE WHEN abs(date_diff('day', _0, _1)) >= {MAX_SEQUENCE} "
    "THEN error('INVALID_FUNCTION_ARGUMENT', _0) ELSE "
    "result(generate_series(_0, _1, to_days(CASE WHEN _1 >= _0 THEN 1 ELSE -1 END))) END"
)
_STEPS = (
    f"CASE WHEN abs(epoch(CAST(_1 AS TIMESTAMP)) - epoch(CAST(_0 AS TIMESTAMP))) >= "
    f"{MAX_SEQUENCE} * abs(epoch(_2)) THEN error('INVALID_FUNCTION_ARGUMENT', _0) "
    "ELSE result(generate_series(_0, _1, _2)) END"
)
_REPEAT = (
    f"CASE WHEN _1 < 0 OR _1 > {MAX_SEQUENCE} THEN error('INVALID_FUNCTION_ARGUMENT', _1) "
    "ELSE list_transform(range(_1), lambda lv_i: _0) END"
)
_NGRAMS = (
    "CASE WHEN _1 < 1 THEN error('INVALID_FUNCTION_ARGUMENT', _1) "
    f"WHEN least(_1, len(_0)) * (len(_0) - least(_1, len(_0)) + 1) > {MAX_NGRAMS} "
    "THEN error('INVALID_FUNCTION_ARGUMENT', _1) "
    "ELSE list_transform(range(CAST(len(_0) - least(_1, len(_0)) + 1 AS BIGINT)), "
    "lambda lv_i: list_slice(_0, lv_i + 1, lv_i + least(_1, len(_0)))) END"
)
_SLICE = (
    "CASE WHEN _1 = 0 OR _2 < 0 THEN error('INVALID_FUNCTION_ARGUMENT', _1) "
    "WHEN abs(_1) > len(_0) OR _2 = 0 THEN list_slice(_0, 1, 0) "
    "WHEN _1 > 0 THEN list_slice(_0, _1, _1 + _2 - 1) "
    "ELSE list_slice(_0, len(_0) + _1 + 1, least(len(_0), len(_0) + _1 + _2)) END"
)
_ELEMENT = (
    "CASE WHEN _1 = 0 THEN error('INVALID_FUNCTION_ARGUMENT', _1) ELSE list_extract(_0, _1) END"
)
_OVERLAP = let(
    "_0",
    let(
        "_1",
        "CASE WHEN lv_a IS NULL OR lv_b IS NULL THEN NULL "
        "WHEN list_has_any(list_filter(lv_a, lambda lv_e: lv_e IS NOT NULL), lv_b) THEN TRUE "
        f"WHEN len(lv_a) > 0 AND len(lv_b) > 0 AND ({_HAS_NULL.format('lv_a')} OR "
        f"{_HAS_NULL.format('lv_b')}) THEN NULL ELSE FALSE END",
        "lv_b",
    ),
    "lv_a",
)
_EXTREME = "CASE WHEN list_count(_0) < len(_0) THEN NULL ELSE {}(_0) END"


def _against(test: str) -> str:
    unique = _UNIQUE.format("lv_a")
    inner = f"list_filter({unique}, lambda lv_e: list_position(lv_b, lv_e) IS {test})"
    return _checked_nulls(let("_0", let("_1", inner, "lv_b"), "lv_a"))


def concatenated(args: list[exp.Expr]) -> exp.Expr:
    """Arrays one after another; NULL if one of them is."""
    conditions = " OR ".join(f"_{i} IS NULL" for i in range(len(args)))
    return fill(f"CASE WHEN {conditions} THEN NULL ELSE list_concat(_all) END", args)


def _concat(one: Call) -> exp.Expr:
    return concatenated(one.args)


def _pipes(one: Call) -> exp.Expr:
    joined = one.args[0]
    for arg in one.args[1:]:
        joined = exp.DPipe(this=joined, expression=arg)
    return exp.Paren(this=joined)


def _zipped(one: Call) -> exp.Expr:
    return _rows("list_zip(_all)", one.args, len(one.args))


def _rows(template: str, args: list[exp.Expr], count: int) -> exp.Expr:
    """Pairs of the engine's as rows of ours."""
    parts = ", ".join(f"field{i} := struct_extract_at(lv_r, {i + 1})" for i in range(count))
    return fill(f"list_transform({template}, lambda lv_r: struct_pack({parts}))", args)


def _entries(one: Call) -> exp.Expr:
    return _rows("map_entries(_0)", one.args, 2)


def _pairs(template: str, *, of_map: bool) -> Rewrite:
    def rewritten(one: Call) -> exp.Expr:
        args = [*one.args[:-1], pair_lambda(one.args[-1], keep=template if of_map else "")]
        if of_map:
            work = "list_filter" if template == "filter" else "list_transform"
            return fill(f"map_from_entries({work}(map_entries(_0), _1))", args)
        return fill(
            "CASE WHEN _0 IS NULL OR _1 IS NULL THEN NULL "
            "ELSE list_transform(list_zip(_0, _1), _2) END",
            args,
        )

    return rewritten


ROWS = [
    *section(
        "Array functions and operators",
        fn(
            "all_match",
            ("array(T), (T) -> boolean -> boolean", _quantified("FALSE", "TRUE", "FALSE")),
        ),
        fn(
            "any_match",
            ("array(T), (T) -> boolean -> boolean", _quantified("TRUE", "FALSE", "TRUE")),
        ),
        fn(
            "none_match",
            ("array(T), (T) -> boolean -> boolean", _quantified("FALSE", "TRUE", "TRUE")),
        ),
        fn("array_distinct", ("array(T) -> array(T)", _DISTINCT)),
        fn("array_intersect", ("array(T), array(T) -> array(T)", _against("NOT NULL"))),
        fn("array_except", ("array(T), array(T) -> array(T)", _against("NULL"))),
        fn(
            "array_union",
            (
                "array(T), array(T) -> array(T)",
                _checked_nulls(let("list_concat(_0, _1)", _UNIQUE.format("lv_v"))),
            ),
        ),
        fn(
            "array_join",
            ("array(T), varchar -> varchar", _join),
            ("array(T), varchar, varchar -> varchar", _join),
        ),
        fn("array_max", ("array(T) -> T", _EXTREME.format("list_max"))),
        fn("array_min", ("array(T) -> T", _EXTREME.format("list_min"))),
        fn(
            "array_position",
            ("array(T), T -> bigint", _checked_nulls("coalesce(list_position(_0, _1), 0)")),
        ),
        fn(
            "array_remove",
            (
                "array(T), T -> array(T)",
                _checked_nulls("list_filter(_0, lambda lv_e: lv_e IS DISTINCT FROM _1)"),
            ),
        ),
        fn(
            "array_sort",
            ("array(T) -> array(T)", "list_sort(_0, 'ASC', 'NULLS LAST')"),
            note="with a comparator: not supported",
        ),
        fn("arrays_overlap", ("array(T), array(T) -> boolean", _OVERLAP)),
        fn(
            "cardinality",
            ("array(T) -> bigint", "len(_0)"),
            ("map(K, V) -> bigint", "result(cardinality(_0))"),
        ),
        fn(
            "concat",
            ("array(T), array(T)... -> array(T)", _concat),
            ("varchar, varchar... -> varchar", _pipes),
            ("varbinary, varbinary... -> varbinary", _pipes),
        ),
        fn(
            "contains",
            (
                "array(T), T -> boolean",
                _checked_nulls(
                    "CASE WHEN list_contains(_0, _1) THEN TRUE "
                    f"WHEN {_HAS_NULL.format('_0')} THEN NULL ELSE FALSE END"
                ),
            ),
        ),
        fn(
            "element_at",
            ("array(T), bigint -> T", _ELEMENT),
            ("map(K, V), K -> V", "map_extract_value(_0, _1)"),
        ),
        fn("filter", ("array(T), (T) -> boolean -> array(T)", "list_filter(_0, _1)")),
        fn("flatten", ("array(array(T)) -> array(T)", "flatten(_0)")),
        fn(
            "reduce",
            ("array(T), S, (S, T) -> S, (S) -> R -> R", _reduce),
            note="state and result of its function of one type, to which the elements coerce",
        ),
        fn("repeat", ("T, bigint -> array(T)", _REPEAT)),
        fn(
            "sequence",
            (
                "bigint, bigint -> array(bigint)",
                _SEQUENCE.format(step="(CASE WHEN _1 >= _0 THEN 1 ELSE -1 END)"),
            ),
            ("bigint, bigint, bigint -> array(bigint)", _SEQUENCE.format(step="_2")),
            ("date, date -> array(date)", _DAYS),
            ("date, date, interval -> array(date)", _STEPS),
            ("timestamp, timestamp, interval -> array(timestamp)", _STEPS),
            note=f"at most {MAX_SEQUENCE:,} entries",
        ),
        fn("slice", ("array(T), bigint, bigint -> array(T)", _SLICE)),
        fn("transform", ("array(T), (T) -> U -> array(U)", "list_transform(_0, _1)")),
        fn(
            "trim_array",
            (
                "array(T), bigint -> array(T)",
                (
                    "CASE WHEN _1 < 0 OR _1 > len(_0) THEN error('INVALID_FUNCTION_ARGUMENT', _1) "
                    "ELSE list_slice(_0, 1, len(_0) - _1) END"
                ),
            ),
        ),
        fn(
            "zip",
            ("array(T), array(U) -> array(row(T, U))", _zipped),
            ("array(T), array(U), array(V) -> array(row(T, U, V))", _zipped),
        ),
        fn("zip_with", ("array(T), array(U), (T, U) -> R -> array(R)", _pairs("", of_map=False))),
        fn("ngrams", ("array(T), bigint -> array(array(T))", _NGRAMS)),
        refused("array_histogram combinations shuffle", "the engine has no such function"),
    ),
    *section(
        "Map functions and operators",
        fn(
            "map",
            (" -> map(unknown, unknown)", "map([], [])"),
            (
                "array(K), array(V) -> map(K, V)",
                (
                    "CASE WHEN len(_0) <> len(_1) THEN error('INVALID_FUNCTION_ARGUMENT', len(_0)) "
                    "ELSE map(_0, _1) END"
                ),
            ),
        ),
        fn("map_concat", ("map(K, V), map(K, V)... -> map(K, V)", "map_concat(_all)")),
        fn("map_entries", ("map(K, V) -> array(row(K, V))", _entries)),
        fn(
            "map_filter",
            ("map(K, V), (K, V) -> boolean -> map(K, V)", _pairs("filter", of_map=True)),
        ),
        fn("map_from_entries", ("array(row(K, V)) -> map(K, V)", "map_from_entries(_0)")),
        fn("map_keys", ("map(K, V) -> array(K)", "map_keys(_0)")),
        fn("map_values", ("map(K, V) -> array(V)", "map_values(_0)")),
        fn("transform_keys", ("map(K, V), (K, V) -> R -> map(R, V)", _pairs("value", of_map=True))),
        fn("transform_values", ("map(K, V), (K, V) -> R -> map(K, R)", _pairs("key", of_map=True))),
        refused("map_zip_with multimap_from_entries", "the engine has no such function"),
    ),
]
