"""Aggregate and window functions.

https://trino.io/docs/current/functions/aggregate.html, .../window.html
"""

from __future__ import annotations

from lakeveil.sql.functions.table import Function, Kind, Status, fn, let, refused, section

_LISTED = "agg_array_agg(row(_0, _1))"
_FIRST_KEYS = (
    "list_filter(lv_p, lambda lv_e, lv_i: struct_extract_at(lv_e, 1) IS NOT NULL AND "
    "list_position(list_transform(lv_p, lambda lv_k: struct_extract_at(lv_k, 1)), "
    "struct_extract_at(lv_e, 1)) = lv_i)"
)
_MAP_AGG = let(_LISTED, f"map_from_entries({_FIRST_KEYS})", "lv_p")


def _aggregate(names: str, *overloads: tuple[str, str], **about: object) -> Function:
    return fn(names, *overloads, kind=Kind.AGGREGATE, **about)  # type: ignore[arg-type]


def _window(names: str, *overloads: tuple[str, str], note: str = "") -> Function:
    return fn(names, *overloads, kind=Kind.WINDOW, note=note)


def _of_doubles(names: str, engine: str) -> Function:
    return _aggregate(names, ("double -> double", f"agg_{engine}(_0)"))


def _of_pairs(names: str, engine: str) -> Function:
    return _aggregate(names, ("double, double -> double", f"agg_{engine}(_0, _1)"))


def _bitwise(names: str, engine: str) -> Function:
    return _aggregate(names, ("bigint -> bigint", f"agg_{engine}(_0)"))


_APPROXIMATELY = "another sketch than Trino's: estimates differ within its error"

ROWS = [
    *section(
        "Aggregate functions",
        _aggregate("any_value arbitrary", ("T -> T", "agg_any_value(_0)")),
        _aggregate("array_agg", ("T -> array(T)", "agg_array_agg(_0)")),
        _aggregate(
            "avg",
            ("I -> double", "agg_avg(_0)"),
            ("D -> D", "agg_avg(_0)"),
            ("real -> real", "result(agg_avg(_0))"),
            ("double -> double", "agg_avg(_0)"),
            note="of decimals: computed from exact sums, rounded half up",
        ),
        _aggregate("bool_and every", ("boolean -> boolean", "agg_bool_and(_0)")),
        _aggregate("bool_or", ("boolean -> boolean", "agg_bool_or(_0)")),
        _aggregate("count", (" -> bigint", "agg_count(*)"), ("T -> bigint", "agg_count(_0)")),
        _aggregate("count_if", ("boolean -> bigint", "result(agg_count_if(_0))")),
        _aggregate("geometric_mean", ("double -> double", "agg_geomean(_0)")),
        _aggregate(
            "listagg",
            ("varchar -> varchar", "agg_string_agg(_0, '')"),
            ("varchar, varchar -> varchar", "agg_string_agg(_0, _1)"),
            note="with WITHIN GROUP (ORDER BY ...); without ON OVERFLOW",
        ),
        _aggregate("max", ("T -> T", "agg_max(_0)")),
        _aggregate("min", ("T -> T", "agg_min(_0)")),
        _aggregate("max_by", ("T, U -> T", "agg_arg_max_null(_0, _1)")),
        _aggregate("min_by", ("T, U -> T", "agg_arg_min_null(_0, _1)")),
        _aggregate(
            "sum",
            ("I -> bigint", "result(agg_sum(_0))"),
            ("D -> total(D)", "agg_sum(_0)"),
            ("real -> real", "result(agg_sum(_0))"),
            ("double -> double", "agg_sum(_0)"),
        ),
        _bitwise("bitwise_and_agg", "bit_and"),
        _bitwise("bitwise_or_agg", "bit_or"),
        _bitwise("bitwise_xor_agg", "bit_xor"),
        _aggregate("histogram", ("T -> map(T, bigint)", "result(agg_histogram(_0))")),
        _aggregate(
            "map_agg",
            ("T, U -> map(T, U)", _MAP_AGG),
            note="of several values for a key, one is kept",
        ),
        _aggregate(
            "approx_distinct",
            ("T -> bigint", "result(agg_approx_count_distinct(_0))"),
            status=Status.APPROXIMATE,
            note=_APPROXIMATELY,
        ),
        _aggregate(
            "approx_percentile",
            ("bigint, double -> bigint", "result(agg_approx_quantile(_0, CAST(_1 AS FLOAT)))"),
            ("double, double -> double", "result(agg_approx_quantile(_0, CAST(_1 AS FLOAT)))"),
            status=Status.APPROXIMATE,
            note=_APPROXIMATELY,
        ),
        _of_pairs("corr", "corr"),
        _of_pairs("covar_pop", "covar_pop"),
        _of_pairs("covar_samp", "covar_samp"),
        _of_pairs("regr_intercept", "regr_intercept"),
        _of_pairs("regr_slope", "regr_slope"),
        _of_doubles("kurtosis", "kurtosis"),
        _of_doubles("stddev stddev_samp", "stddev_samp"),
        _of_doubles("stddev_pop", "stddev_pop"),
        _of_doubles("variance var_samp", "var_samp"),
        _of_doubles("var_pop", "var_pop"),
        fn(
            "grouping",
            ("T... -> bigint", "result(grouping(_all))"),
            note="with GROUPING SETS, CUBE and ROLLUP",
        ),
        refused("checksum", "its hash is Trino's own"),
        refused("skewness entropy", "the engine's formula is another one"),
        refused(
            "map_union multimap_agg reduce_agg set_agg set_union",
            "the engine has no such aggregate",
        ),
        refused(
            "approx_most_frequent approx_set merge numeric_histogram qdigest_agg tdigest_agg "
            "make_set_digest merge_set_digest empty_approx_set",
            "sketches have no type here",
        ),
    ),
    *section(
        "Window functions",
        _window("cume_dist", (" -> double", "agg_cume_dist()")),
        _window("dense_rank", (" -> bigint", "agg_dense_rank()")),
        _window("ntile", ("bigint -> bigint", "agg_ntile(_0)")),
        _window("percent_rank", (" -> double", "agg_percent_rank()")),
        _window("rank", (" -> bigint", "agg_rank()")),
        _window("row_number", (" -> bigint", "agg_row_number()")),
        _window("first_value", ("T -> T", "agg_first_value(_0)"), note="also IGNORE NULLS"),
        _window("last_value", ("T -> T", "agg_last_value(_0)"), note="also IGNORE NULLS"),
        _window("nth_value", ("T, bigint -> T", "agg_nth_value(_0, _1)")),
        _window(
            "lag",
            ("T -> T", "agg_lag(_0)"),
            ("T, bigint -> T", "agg_lag(_0, _1)"),
            ("T, bigint, T -> T", "agg_lag(_0, _1, _2)"),
            note="also IGNORE NULLS",
        ),
        _window(
            "lead",
            ("T -> T", "agg_lead(_0)"),
            ("T, bigint -> T", "agg_lead(_0, _1)"),
            ("T, bigint, T -> T", "agg_lead(_0, _1, _2)"),
            note="also IGNORE NULLS",
        ),
    ),
]
