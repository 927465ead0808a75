"""SearchTables: looks through what its caller is shown, and through nothing else.

Each table is first made into the shape that GetTable would answer with. So a text finds no hidden
column, no path and no parameter that the caller could not read anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lakeveil.aws.glue.shapes import Shape, account_of, table_shape
from lakeveil.aws.paging import page
from lakeveil.core.access.tables.table_document import texts_in
from lakeveil.errors import UsageError
from lakeveil.flows.catalog_desk import CatalogDesk, looking_at
from lakeveil.flows.change_access import Call
from lakeveil.flows.read_catalog import accounts_in_reach, read_tables

PAGE = 100
_TEXTS = ("Name", "DatabaseName", "Description", "Owner", "TableType")
_TIMES = ("CreateTime", "UpdateTime", "LastAccessTime")
_SORTED_BY = ("Name", "DatabaseName", *_TIMES)
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "EQUALS": lambda value, given: value == given,
    "GREATER_THAN": lambda value, given: value > given,
    "LESS_THAN": lambda value, given: value < given,
    "GREATER_THAN_EQUALS": lambda value, given: value >= given,
    "LESS_THAN_EQUALS": lambda value, given: value <= given,
}

Fits = Callable[[Shape], bool]


def search_tables(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """SearchTables."""
    tests = [_text(params.get("SearchText", "")), *map(_filter, params.get("Filters", ()))]
    found = (
        shape
        for account in _accounts(call, params, desk)
        for shape in map(table_shape, read_tables(account, None, who=call.who, desk=desk))
        if all(fits(shape) for fits in tests)
    )
    entries, key = _sorted(found, params.get("SortCriteria", ()))
    shown, token = page(
        entries, key, params, asker=f"SearchTables {call.who.caller_arn}", size=PAGE
    )
    return {"TableList": [shape for _, shape in shown], **token}


def _accounts(call: Call, params: Shape, desk: CatalogDesk) -> list[str]:
    account, kind = account_of(params, call.who.account), params.get("ResourceShareType")
    if kind not in {"ALL", "FOREIGN"}:
        return [account]
    with desk.lake.looking() as lake:
        every = accounts_in_reach(looking_at(lake, call.who, desk))
    return [one for one in every if kind == "ALL" or one != call.who.account]


def _text(given: str) -> Fits:
    """Every word somewhere; what stands in quotes, as a whole name or word."""
    exact = re.fullmatch(r'"(.*)"', given.strip(), re.DOTALL)
    if exact:
        whole = exact.group(1).lower()
        return lambda shape: any(whole == text or whole in _words(text) for text in _texts(shape))
    words = given.lower().split()
    return lambda shape: all(any(word in text for text in _texts(shape)) for word in words)


def _texts(shape: Shape) -> list[str]:
    said = [str(shape[name]) for name in _TEXTS if name in shape]
    said += texts_in(shape.get("StorageDescriptor", {}).get("Columns", ()))
    said += texts_in(shape.get("PartitionKeys", ()))
    return [text.lower() for text in said]


def _filter(given: Shape) -> Fits:
    """One condition. Texts are compared word by word, times by the comparator.

    Raises:
        UsageError: nothing can be searched by that key.
    """
    key, value = given.get("Key", ""), given.get("Value", "")
    if key in _TIMES:
        compare, when = _COMPARE[given.get("Comparator", "EQUALS")], _time(value)
        return lambda shape: key in shape and compare(shape[key], when)
    name = "Name" if key == "TableName" else key
    wanted = value.lower()
    if name in _TEXTS:
        return lambda shape: _has_word(str(shape.get(name, "")), wanted)
    if name in {"classification", "Classification"}:
        return lambda shape: _has_word(
            shape.get("Parameters", {}).get("classification", ""), wanted
        )
    raise UsageError(f"Tables cannot be searched by `{key[:255]}`.")


def _has_word(text: str, wanted: str) -> bool:
    return wanted == text.lower() or wanted in _words(text.lower())


def _words(text: str) -> list[str]:
    return re.split(r"[^\w]+", text)


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError("A time is compared with seconds since the epoch, or ISO 8601.") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _sorted(
    found: Iterator[Shape], criteria: Sequence[Shape]
) -> tuple[Iterator[tuple[int, Shape]], Callable[[tuple[int, Shape]], tuple[str | int, ...]]]:
    """The tables in order, each with its rank, and where one stands in a listing."""
    if not criteria:
        # In order already.
        return enumerate(found), lambda entry: _names(entry[1])
    by, down = criteria[0].get("FieldName", ""), criteria[0].get("Sort") == "DESC"
    if by not in _SORTED_BY:
        raise UsageError(f"Tables cannot be sorted by `{by[:255]}`.")
    empty: Any = 0.0 if by in _TIMES else ""
    ordered = sorted(sorted(found, key=_names), key=lambda one: one.get(by, empty), reverse=down)
    return enumerate(ordered), lambda entry: (entry[0],)


def _names(shape: Shape) -> tuple[str, str, str]:
    return shape["CatalogId"], shape["DatabaseName"], shape["Name"]
