"""Names and strings as SQL has them."""

from __future__ import annotations


def identifier(name: str) -> str:
    """A name, quoted.

    >>> identifier('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string, quoted.

    >>> text("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"
