"""Mathematical and bitwise functions.

https://trino.io/docs/current/functions/math.html, .../bitwise.html. Where Java answers NaN or
Infinity and the engine fails, the answer is spelled out.
"""

from __future__ import annotations

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.functions.table import Call, Function, fn, refused, section
from lakeveil.sql.functions.templates import call, cast

_NAN = "CAST('NaN' AS DOUBLE)"
_INFINITY = "CAST('Infinity' AS DOUBLE)"
_LN = "CASE WHEN {0} < 0 OR isnan({0}) THEN {nan} WHEN {0} = 0 THEN -{inf} ELSE {call}({0}) END"


def _of_double(names: str) -> Function:
    return fn(names, ("double -> double", f"{names.split(maxsplit=1)[0]}(_0)"))


def _within_one(name: str) -> Function:
    template = f"CASE WHEN abs(_0) > 1 THEN {_NAN} ELSE {name}(_0) END"
    return fn(name, ("double -> double", template))


def _finite(name: str) -> Function:
    return fn(name, ("double -> double", f"CASE WHEN isfinite(_0) THEN {name}(_0) ELSE {_NAN} END"))


def _logarithm(name: str, call: str) -> Function:
    return fn(name, ("double -> double", _LN.format("_0", nan=_NAN, inf=_INFINITY, call=call)))


def _ln(place: str) -> str:
    return _LN.format(place, nan=_NAN, inf=_INFINITY, call="ln")


def _bits(name: str, operator: str) -> Function:
    return fn(name, ("bigint, bigint -> bigint", f"_0 {operator} _1"))


def _truncate(one: Call) -> exp.Expr:
    """The engine takes a constant only."""
    given = one.given[1]
    digits = given.this if isinstance(given, exp.Neg) else given
    if not (isinstance(digits, exp.Literal) and digits.is_int):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "truncate: the number of digits must be a constant"
        )
    number = min(int(digits.name), 38)
    count = exp.Literal.number(number)
    if isinstance(given, exp.Neg):
        count = exp.Neg(this=count)
    return cast(call("trunc", one.args[0], count), one.returns)


_BUCKET = (
    "CASE WHEN _3 < 1 OR _1 = _2 OR isnan(_0) THEN error('INVALID_FUNCTION_ARGUMENT', _3) "
    "WHEN _1 < _2 THEN CASE WHEN _0 < _1 THEN 0 WHEN _0 >= _2 THEN _3 + 1 "
    "ELSE CAST(floor(_3 * (_0 - _1) / (_2 - _1)) AS BIGINT) + 1 END "
    "ELSE CASE WHEN _0 > _1 THEN 0 WHEN _0 <= _2 THEN _3 + 1 "
    "ELSE CAST(floor(_3 * (_1 - _0) / (_1 - _2)) AS BIGINT) + 1 END END"
)
_SIGN = "CASE WHEN _0 > 0 THEN 1 WHEN _0 < 0 THEN -1 WHEN _0 = 0 THEN 0 END"
_DOUBLE_SIGN = f"CASE WHEN isnan(_0) THEN {_NAN} ELSE CAST(sign(_0) AS DOUBLE) END"
_SHIFT_CHECK = "CASE WHEN _1 < 0 THEN error('INVALID_FUNCTION_ARGUMENT', _1) WHEN _1 > 63 THEN "
_BASE_CHECK = "CASE WHEN _1 < 2 OR _1 > 36 THEN error('INVALID_FUNCTION_ARGUMENT', _1) "

ROWS = [
    *section(
        "Mathematical functions and operators",
        fn("abs", ("N -> N", "abs(_0)")),
        _within_one("acos"),
        _within_one("asin"),
        _of_double("atan"),
        fn("atan2", ("double, double -> double", "atan2(_0, _1)")),
        fn(
            "cbrt",
            (
                "double -> double",
                "CASE WHEN pow(round(cbrt(_0)), 3) = _0 THEN round(cbrt(_0)) ELSE cbrt(_0) END",
            ),
        ),
        fn(
            "ceiling ceil",
            ("I -> I", "_0"),
            ("D -> whole(D)", "result(ceil(_0))"),
            ("real -> real", "ceil(_0)"),
            ("double -> double", "ceil(_0)"),
        ),
        _finite("cos"),
        _of_double("cosh"),
        _of_double("degrees"),
        fn("e", (" -> double", "CAST('2.718281828459045' AS DOUBLE)")),
        _of_double("exp"),
        fn(
            "floor",
            ("I -> I", "_0"),
            ("D -> whole(D)", "result(floor(_0))"),
            ("real -> real", "floor(_0)"),
            ("double -> double", "floor(_0)"),
        ),
        fn("infinity", (" -> double", _INFINITY)),
        fn("is_finite", ("double -> boolean", "isfinite(_0)")),
        fn("is_infinite", ("double -> boolean", "isinf(_0)")),
        fn("is_nan", ("double -> boolean", "isnan(_0)")),
        _logarithm("ln", "ln"),
        fn("log", ("double, double -> double", f"({_ln('_1')}) / ({_ln('_0')})")),
        _logarithm("log10", "log10"),
        _logarithm("log2", "log2"),
        fn(
            "mod",
            (
                "I, I -> I",
                "CASE WHEN _1 = 0 THEN error('DIVISION_BY_ZERO', _1) ELSE result(_0 % _1) END",
            ),
            ("double, double -> double", "_0 % _1"),
            note="has the sign of the dividend",
        ),
        fn("nan", (" -> double", _NAN)),
        fn("pi", (" -> double", "pi()")),
        fn("power pow", ("double, double -> double", "pow(_0, _1)")),
        _of_double("radians"),
        fn(
            "random rand",
            (" -> double", "random()"),
            (
                "bigint -> bigint",
                (
                    "CASE WHEN _0 < 1 THEN error('INVALID_FUNCTION_ARGUMENT', _0) "
                    "ELSE CAST(floor(random() * _0) AS BIGINT) END"
                ),
            ),
            (
                "bigint, bigint -> bigint",
                (
                    "CASE WHEN _0 >= _1 THEN error('INVALID_FUNCTION_ARGUMENT', _0) "
                    "ELSE _0 + CAST(floor(random() * (_1 - _0)) AS BIGINT) END"
                ),
            ),
        ),
        fn(
            "round",
            ("I -> I", "_0"),
            ("D -> whole(D)", "result(round(_0))"),
            ("real -> real", "round(_0)"),
            ("double -> double", "round(_0)"),
            ("I, integer -> I", "result(round(_0, _1))"),
            ("D, integer -> rounded(D)", "result(round(_0, _1))"),
            ("double, integer -> double", "round(_0, _1)"),
            note="half away from zero; for decimals the number of digits is a constant",
        ),
        fn(
            "sign",
            ("I -> I", f"result({_SIGN})"),
            ("D -> digit(D)", f"result({_SIGN})"),
            ("double -> double", _DOUBLE_SIGN),
        ),
        _finite("sin"),
        _of_double("sinh"),
        fn("sqrt", ("double -> double", f"CASE WHEN _0 < 0 THEN {_NAN} ELSE sqrt(_0) END")),
        _finite("tan"),
        _of_double("tanh"),
        fn(
            "to_base",
            (
                "bigint, bigint -> varchar",
                (
                    f"{_BASE_CHECK} WHEN _0 < 0 THEN "
                    "'-' || lower(to_base(-_0, CAST(_1 AS INTEGER))) "
                    "ELSE lower(to_base(_0, CAST(_1 AS INTEGER))) END"
                ),
            ),
        ),
        fn(
            "truncate",
            ("D -> cut(D)", "result(trunc(_0))"),
            ("double -> double", "trunc(_0)"),
            ("D, bigint -> D", _truncate),
            note="to digits: decimals, and a constant number of them",
        ),
        fn(
            "width_bucket",
            ("double, double, double, bigint -> bigint", _BUCKET),
            (
                "double, array(double) -> bigint",
                (
                    "CASE WHEN _0 IS NULL THEN NULL "
                    "ELSE len(list_filter(_1, lambda lv_e: lv_e <= _0)) END"
                ),
            ),
        ),
        refused("from_base", "the engine reads no numbers of other bases"),
        refused(
            "beta_cdf inverse_beta_cdf inverse_normal_cdf normal_cdf t_cdf t_pdf "
            "wilson_interval_lower wilson_interval_upper cosine_similarity",
            "the engine has no such function",
        ),
    ),
    *section(
        "Bitwise functions",
        _bits("bitwise_and", "&"),
        _bits("bitwise_or", "|"),
        fn("bitwise_xor", ("bigint, bigint -> bigint", "xor(_0, _1)")),
        fn("bitwise_not", ("bigint -> bigint", "-1 - _0")),
        fn(
            "bitwise_right_shift_arithmetic",
            (
                "bigint, bigint -> bigint",
                f"{_SHIFT_CHECK} CASE WHEN _0 < 0 THEN -1 ELSE 0 END ELSE _0 >> _1 END",
            ),
        ),
        refused(
            "bit_count bitwise_left_shift bitwise_right_shift",
            "they depend on the width of Java's integers",
        ),
    ),
]
