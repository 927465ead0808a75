"""JSON and URLs.

https://trino.io/docs/current/functions/json.html, .../url.html. Paths are constants of names and
subscripts; a text that is no JSON has no parts, as in Trino.
"""

from __future__ import annotations

import re

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.functions.table import Call, Function, Rewrite, Status, fn, let, refused, section
from lakeveil.sql.functions.templates import fill
from lakeveil.sql.types import kind_of

_STEP = re.compile(
    r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]|\[\"([^\"\\]*)\"\]|\['([^'\\]*)'\]|\.\"([^\"\\]*)\""
)


def engine_path(path: str) -> str:
    """A JSON path as the engine spells it.

    Raises:
        QueryError: NOT_SUPPORTED, more than names and subscripts.
    """
    end, steps = 1, []
    while path.startswith("$") and (found := _STEP.match(path, end)):
        end = found.end()
        name = next((part for part in (found[1], *found.groups()[2:]) if part is not None), None)
        steps.append(f"[{found[2]}]" if name is None else f'."{name}"')
    if not path.startswith("$") or end != len(path):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, f"Only names and subscripts in a JSON path: `{path}`"
        )
    return "$" + "".join(steps)


def _at_path(template: str) -> Rewrite:
    def rewritten(one: Call) -> exp.Expr:
        path = one.given[1]
        if not (isinstance(path, exp.Literal) and path.is_string):
            raise QueryError(ErrorName.NOT_SUPPORTED, f"{one.name}: its path must be a constant")
        text = exp.Literal.string(engine_path(path.name))
        if kind_of(one.types[0]) == "json":
            return fill(template, [one.args[0], text])
        return fill(f"CASE WHEN json_valid(_0) THEN {template} END", [one.args[0], text])

    return rewritten


def _json(name: str, returns: str, template: str, *, note: str = "") -> Function:
    rewrite = _at_path(template)
    return fn(
        name,
        (f"json, varchar -> {returns}", rewrite),
        (f"varchar, varchar -> {returns}", rewrite),
        note=note,
    )


def _of_json(name: str, returns: str, template: str, more: str = "", note: str = "") -> Function:
    valid = f"CASE WHEN json_valid(_0) THEN {template} END"
    return fn(
        name,
        (f"json{more} -> {returns}", template),
        (f"varchar{more} -> {returns}", valid),
        note=note,
    )


_SCALAR = (
    "CASE WHEN json_type(_0, _1) NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(_0, _1) END"
)
_SIZE = (
    "CASE json_type(_0, _1) WHEN 'OBJECT' THEN len(json_keys(_0, _1)) "
    "WHEN 'ARRAY' THEN json_array_length(_0, _1) WHEN NULL THEN NULL "
    "ELSE CASE WHEN json_type(_0, _1) IS NOT NULL THEN 0 END END"
)
_LENGTH = "CASE WHEN json_type(_0) = 'ARRAY' THEN json_array_length(_0) END"
_MEMBER = "len(list_filter(json_extract(_0, '$[*]'), lambda lv_e: {})) > 0"
_HOLDS = "CASE WHEN json_type(_0) = 'ARRAY' AND _1 IS NOT NULL THEN {} END"


def _contains(kinds: str, value: str) -> str:
    test = f"json_type(lv_e) IN ({kinds}) AND {value} = _1"
    return _HOLDS.format(_MEMBER.format(test))


_CONTAINS = {
    "varchar": _contains("'VARCHAR'", "json_extract_string(lv_e, '$')"),
    "boolean": _contains("'BOOLEAN'", "CAST(lv_e AS BOOLEAN)"),
    "bigint": _contains("'BIGINT', 'UBIGINT'", "CAST(lv_e AS BIGINT)"),
    "double": _contains("'BIGINT', 'UBIGINT', 'DOUBLE'", "CAST(lv_e AS DOUBLE)"),
}
_GET = (
    "CASE WHEN json_type(_0) = 'ARRAY' THEN list_extract(json_extract(_0, '$[*]'), "
    "CASE WHEN _1 < 0 THEN _1 ELSE _1 + 1 END) END"
)

# -- URLs --------------------------------------------------------------------------------------
_SCHEME = r"^[A-Za-z][A-Za-z0-9+.-]*:"
_AUTHORITY = r"(?://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)(?::(\d*))?)?"
_URL = rf"{_SCHEME}{_AUTHORITY}([^?#]*)(?:\?([^#]*))?(?:#(.*))?$"
_ILLEGAL = r"[\s<>\"{{}}|\\^`]|%(?:[^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)"


def _part(name: str, group: int, *, present: str = "", decoded: bool = True) -> Function:
    value = f"regexp_extract(_0, '{_URL}', {group})"
    shown = f"url_decode({value})" if decoded else value
    missing = f"AND regexp_matches(_0, '{present}') " if present else ""
    return fn(
        name,
        ("varchar -> varchar", f"CASE WHEN {_IS_URL} {missing}THEN {shown} END"),
    )


_IS_URL = (
    f"regexp_matches(_0, '{_SCHEME}[^#]') "
    r"AND NOT regexp_matches(_0, '[\s<>" + r'"' + r"{}|\\^`]|%([^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)')"
)
_PARAMETERS = f"string_split(regexp_extract(_0, '{_URL}', 4), '&')"
_PARAMETER = (
    f"CASE WHEN {_IS_URL} THEN "
    + let(
        f"list_extract(list_filter({_PARAMETERS}, lambda lv_e: split_part(lv_e, '=', 1) = _1), 1)",
        "CASE WHEN lv_p IS NOT NULL "
        "THEN url_decode(replace(split_part(lv_p, '=', 2), '+', ' ')) END",
        "lv_p",
    )
    + " END"
)
_ENCODED = "replace(replace(replace(url_encode(_0), '%20', '+'), '%2A', '*'), '~', '%7E')"

ROWS = [
    *section(
        "JSON functions and operators",
        _of_json("is_json_scalar", "boolean", "json_type(_0) NOT IN ('OBJECT', 'ARRAY')"),
        fn(
            "json_array_contains",
            *(
                (f"{source}, {kind} -> boolean", f"CASE WHEN json_valid(_0) THEN {template} END")
                for kind, template in _CONTAINS.items()
                for source in ("json", "varchar")
            ),
        ),
        _of_json("json_array_get", "json", _GET, ", bigint"),
        _of_json("json_array_length", "bigint", _LENGTH),
        _json("json_extract", "json", "json_extract(_0, _1)", note="paths of names and subscripts"),
        _json("json_extract_scalar", "varchar", _SCALAR, note="NULL for objects and arrays"),
        fn("json_format", ("json -> varchar", "CAST(_0 AS VARCHAR)")),
        fn(
            "json_parse",
            (
                "varchar -> json",
                (
                    "CASE WHEN json_valid(_0) THEN json(_0) "
                    "WHEN _0 IS NOT NULL THEN error('INVALID_FUNCTION_ARGUMENT', _0) END"
                ),
            ),
            status=Status.APPROXIMATE,
            note="keys stay in the order of the text",
        ),
        _json("json_size", "bigint", _SIZE),
        refused(
            "json_array json_exists json_object json_query json_value json_table",
            "SQL/JSON has a grammar of its own",
        ),
    ),
    *section(
        "URL functions",
        fn("url_decode", ("varchar -> varchar", "url_decode(replace(_0, '+', ' '))")),
        fn("url_encode", ("varchar -> varchar", _ENCODED)),
        _part("url_extract_fragment", 5, present="#"),
        fn(
            "url_extract_host",
            (
                "varchar -> varchar",
                f"CASE WHEN {_IS_URL} THEN nullif(regexp_extract(_0, '{_URL}', 1), '') END",
            ),
        ),
        fn("url_extract_parameter", ("varchar, varchar -> varchar", _PARAMETER)),
        _part("url_extract_path", 3),
        fn(
            "url_extract_port",
            (
                "varchar -> bigint",
                (
                    f"CASE WHEN {_IS_URL} "
                    f"THEN CAST(nullif(regexp_extract(_0, '{_URL}', 2), '') AS BIGINT) END"
                ),
            ),
        ),
        fn(
            "url_extract_protocol",
            (
                "varchar -> varchar",
                f"CASE WHEN {_IS_URL} THEN regexp_extract(_0, '^([^:]*):', 1) END",
            ),
        ),
        _part("url_extract_query", 4, present=r"^[^#]*\?"),
    ),
]
