"""Results as lines: Athena's CSV and its text, read exactly.

Of the CSV every value stands in double quotes, a quote within is doubled, NULL is nothing at all,
and a line ends with a line feed: `"a",,""` is a text, NULL, and an empty text. Common readers take
the last two for the same thing. Values may hold line feeds. A text result is its lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Row = tuple[str | None, ...]
Reader = Callable[[bytes, int], Iterator[tuple[Row, int]]]

# Possessive, so that a value of many megabytes is gone through once.
_FIELD = re.compile(rb'(?:"((?:[^"]++|"")*+)")?+([,\n])')
_UNFINISHED = re.compile(rb'(?:"(?:[^"]++|"")*+"?)?+\Z')


def csv_rows(data: bytes, start: int = 0) -> Iterator[tuple[Row, int]]:
    r"""Complete rows from a place on, each with the place at which the next one begins.

    What comes after the last complete row is left alone: more of the result may follow.

    >>> list(csv_rows(b'"a",,""\n"say ""no""\n"\n"cut'))
    [(('a', None, ''), 8), (('say "no"\n',), 22)]

    Raises:
        ValueError: it is no such CSV.
    """
    row: list[str | None] = []
    place = start
    while found := _FIELD.match(data, place):
        value = found[1]
        row.append(None if value is None else value.replace(b'""', b'"').decode())
        place = found.end()
        if found[2] == b"\n":
            yield tuple(row), place
            row = []
    if not _UNFINISHED.match(data, place):
        raise ValueError("it is no result's CSV")


def text_rows(data: bytes, start: int = 0) -> Iterator[tuple[Row, int]]:
    r"""Complete lines from a place on, each as a row of one value.

    >>> list(text_rows(b'events\nsales\ncut'))
    [(('events',), 7), (('sales',), 13)]

    Raises:
        ValueError: it is no text.
    """
    place = start
    while (end := data.find(b"\n", place)) >= 0:
        yield (data[place:end].decode(),), end + 1
        place = end + 1
