"""Text and binary functions.

https://trino.io/docs/current/functions/string.html, .../binary.html. Positions are of characters
(code points) from 1.
"""

from __future__ import annotations

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.functions.table import Call, Rewrite, fn, refused, section
from lakeveil.sql.functions.templates import call, fill
from lakeveil.sql.types import INTEGERS, kind_of

# Java's Character.isWhitespace.
_CODES = (*range(9, 14), *range(28, 33), 0x1680, *range(0x2000, 0x2007), *range(0x2008, 0x200B))
WHITESPACE = "".join(map(chr, (*_CODES, 0x2028, 0x2029, 0x205F, 0x3000)))


def _trimmed(engine: str) -> tuple[tuple[str, str | Rewrite], ...]:
    def whitespace(one: Call) -> exp.Expr:
        return call(engine, one.args[0], exp.Literal.string(WHITESPACE))

    return (
        ("varchar -> varchar", whitespace),
        ("varchar, varchar -> varchar", f"{engine}(_0, _1)"),
    )


def _substr(one: Call) -> exp.Expr:
    start = one.given[1]
    length = ", greatest(_2, 0)" if len(one.args) > 2 else ""  # noqa: PLR2004
    plain = f"substr(_0, _1{length})"
    if isinstance(start, exp.Literal) and start.is_int and int(start.name) > 0:
        return fill(plain, one.args)
    return fill(f"CASE WHEN _1 = 0 OR abs(_1) > length(_0) THEN '' ELSE {plain} END", one.args)


def _normalize(one: Call) -> exp.Expr:
    if len(one.given) > 1 and one.given[1].name.upper() != "NFC":
        raise QueryError(ErrorName.NOT_SUPPORTED, "normalize: only the form NFC is supported")
    return call("nfc_normalize", one.args[0])


def _format(one: Call) -> exp.Expr:
    """`%s` of texts and integers and `%d` of integers, which Java and C print alike."""
    pattern = one.given[0]
    if not (isinstance(pattern, exp.Literal) and pattern.is_string):
        raise QueryError(ErrorName.NOT_SUPPORTED, "format: its pattern must be a constant")
    parts = pattern.name.replace("%%", "").split("%")[1:]
    kinds = [kind_of(data_type) for data_type in one.types[1:]]
    fits = len(parts) == len(kinds) and all(
        (part[:1] == "s" and kind in {"varchar", *INTEGERS})
        or (part[:1] == "d" and kind in INTEGERS)
        for part, kind in zip(parts, kinds, strict=False)
    )
    if not fits:
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "format: only %s of texts and integers, and %d of integers"
        )
    text = pattern.name.replace("%d", "%s")
    values = [exp.Cast(this=arg, to=exp.DataType.build("VARCHAR")) for arg in one.args[1:]]
    # NULL is printed as text by Java and makes the engine's whole result NULL.
    shown = [call("coalesce", value, exp.Literal.string("null")) for value in values]
    return call("printf", exp.Literal.string(text), *shown)


_DELIMITER = "CASE WHEN _1 = '' THEN error('INVALID_FUNCTION_ARGUMENT', _1) ELSE "
_REVERSED = "array_to_string(list_reverse(regexp_extract_all(_0, '(?s).')), '')"
_POSITION = "CASE WHEN _1 = '' THEN 1 ELSE strpos(_0, _1) END"
_PAIRS = (
    "CASE WHEN _1 = '' OR _2 = '' OR _1 = _2 THEN error('INVALID_FUNCTION_ARGUMENT', _1) ELSE "
    "map_from_entries(list_transform(string_split(_0, _1), lambda lv_e: "
    "CASE WHEN len(string_split(lv_e, _2)) <> 2 THEN error('INVALID_FUNCTION_ARGUMENT', lv_e) "
    "ELSE row(split_part(lv_e, _2, 1), split_part(lv_e, _2, 2)) END)) END"
)
_JOINED = "CASE WHEN _0 IS NULL THEN NULL ELSE concat_ws(_0, _rest) END"

ROWS = [
    *section(
        "String functions and operators",
        fn(
            "chr",
            (
                "bigint -> varchar",
                (
                    "CASE WHEN _0 < 1 OR _0 > 1114111 OR _0 BETWEEN 55296 AND 57343 "
                    "THEN error('INVALID_FUNCTION_ARGUMENT', _0) ELSE chr(CAST(_0 AS INTEGER)) END"
                ),
            ),
        ),
        fn(
            "codepoint",
            (
                "varchar -> integer",
                (
                    "CASE WHEN length(_0) <> 1 THEN error('INVALID_FUNCTION_ARGUMENT', _0) "
                    "ELSE unicode(_0) END"
                ),
            ),
        ),
        fn(
            "concat_ws",
            ("varchar, array(varchar) -> varchar", "array_to_string(_1, _0)"),
            ("varchar, varchar... -> varchar", _JOINED),
        ),
        fn(
            "format",
            ("varchar, T -> varchar", _format),
            ("varchar, T, U -> varchar", _format),
            ("varchar, T, U, V -> varchar", _format),
            ("varchar, T, U, V, W -> varchar", _format),
            note="only %s of texts and integers, and %d of integers",
        ),
        fn(
            "hamming_distance",
            (
                "varchar, varchar -> bigint",
                (
                    "CASE WHEN length(_0) <> length(_1) "
                    "THEN error('INVALID_FUNCTION_ARGUMENT', _0) "
                    "ELSE len(list_filter(range(1, length(_0) + 1), lambda lv_i: "
                    "substr(_0, lv_i, 1) <> substr(_1, lv_i, 1))) END"
                ),
            ),
        ),
        fn(
            "length",
            ("varchar -> bigint", "length(_0)"),
            ("varbinary -> bigint", "octet_length(_0)"),
        ),
        fn(
            "levenshtein_distance",
            (
                "varchar, varchar -> bigint",
                (
                    "CASE WHEN octet_length(encode(_0)) = length(_0) AND "
                    "octet_length(encode(_1)) = length(_1) THEN levenshtein(_0, _1) "
                    "WHEN _0 IS NOT NULL AND _1 IS NOT NULL THEN error('NOT_SUPPORTED', _0) END"
                ),
            ),
            note="of ASCII texts; others are an error, as the engine counts bytes",
        ),
        fn("lower", ("varchar -> varchar", "lower(_0)")),
        fn(
            "lpad",
            ("varchar, bigint, varchar -> varchar", "lpad(_0, CAST(_1 AS INTEGER), _2)"),
        ),
        fn("ltrim", *_trimmed("ltrim")),
        fn(
            "normalize",
            ("varchar -> varchar", _normalize),
            ("varchar, varchar -> varchar", _normalize),
        ),
        fn(
            "replace",
            ("varchar, varchar -> varchar", "replace(_0, _1, '')"),
            (
                "varchar, varchar, varchar -> varchar",
                "CASE WHEN _1 = '' THEN error('NOT_SUPPORTED', _1) ELSE replace(_0, _1, _2) END",
            ),
            note="of an empty text by another: not supported",
        ),
        fn(
            "reverse",
            ("varchar -> varchar", _REVERSED),
            ("array(T) -> array(T)", "list_reverse(_0)"),
        ),
        fn(
            "rpad",
            ("varchar, bigint, varchar -> varchar", "rpad(_0, CAST(_1 AS INTEGER), _2)"),
        ),
        fn("rtrim", *_trimmed("rtrim")),
        fn(
            "split",
            ("varchar, varchar -> array(varchar)", f"{_DELIMITER} string_split(_0, _1) END"),
        ),
        fn(
            "split_part",
            (
                "varchar, varchar, bigint -> varchar",
                (
                    "CASE WHEN _2 < 1 THEN error('INVALID_FUNCTION_ARGUMENT', _2) "
                    f"ELSE {_DELIMITER} list_extract(string_split(_0, _1), _2) END END"
                ),
            ),
        ),
        fn("split_to_map", ("varchar, varchar, varchar -> map(varchar, varchar)", _PAIRS)),
        fn("starts_with", ("varchar, varchar -> boolean", "starts_with(_0, _1)")),
        fn(
            "strpos",
            ("varchar, varchar -> bigint", _POSITION),
            note="also `position(x IN y)`; the n-th instance: not supported",
        ),
        fn(
            "substr substring",
            ("varchar, bigint -> varchar", _substr),
            ("varchar, bigint, bigint -> varchar", _substr),
        ),
        fn("translate", ("varchar, varchar, varchar -> varchar", "translate(_0, _1, _2)")),
        fn("trim", *_trimmed("trim")),
        fn("upper", ("varchar -> varchar", "upper(_0)")),
        fn("to_utf8", ("varchar -> varbinary", "encode(_0)")),
        fn(
            "from_utf8",
            ("varbinary -> varchar", "decode(_0)"),
            note="bytes that are no UTF-8 are an error",
        ),
        refused(
            "luhn_check soundex split_to_multimap word_stem", "the engine has no such function"
        ),
    ),
    *section(
        "Binary functions and operators",
        fn("from_base64", ("varchar -> varbinary", "from_base64(_0)")),
        fn("from_hex", ("varchar -> varbinary", "unhex(_0)")),
        fn("md5", ("varbinary -> varbinary", "unhex(md5(_0))")),
        fn("sha1", ("varbinary -> varbinary", "unhex(sha1(_0))")),
        fn("sha256", ("varbinary -> varbinary", "unhex(sha256(_0))")),
        fn("to_base64", ("varbinary -> varchar", "to_base64(_0)")),
        fn("to_hex", ("varbinary -> varchar", "hex(_0)")),
        refused(
            "crc32 hmac_md5 hmac_sha1 hmac_sha256 hmac_sha512 murmur3 sha512 spooky_hash_v2_32 "
            "spooky_hash_v2_64 xxhash64 from_base32 to_base32 from_base64url to_base64url "
            "from_big_endian_32 to_big_endian_32 from_big_endian_64 to_big_endian_64 "
            "from_ieee754_32 to_ieee754_32 from_ieee754_64 to_ieee754_64",
            "the engine has no such function",
        ),
    ),
]
