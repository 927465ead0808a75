"""Pages of a listing: `MaxResults` and `NextToken`.

A token says after which entry to go on, and for which question. It grants nothing, so it needs no
signature: whatever somebody writes into one, the entries that follow are those they may see. One
from another question, caller or operation is refused, so that no listing has gaps unseen.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from lakeveil.errors import UsageError

T = TypeVar("T")
Key = tuple[str | int, ...]
"""Where an entry stands; unique, and entries come in ascending order."""


def page(
    entries: Iterable[T],
    key: Callable[[T], Key],
    params: Mapping[str, Any],
    *,
    asker: str,
    size: int,
) -> tuple[list[T], dict[str, str]]:
    """The entries of one page and, as the answer's member, the token of the next one.

    `params` are the operation's, `asker` is whoever asks and what, `size` the default for
    MaxResults.

    Raises:
        UsageError: the token is not one of this question.
    """
    question = _digest(params, asker)
    after = _read(params["NextToken"], question) if params.get("NextToken") else None
    largest = int(params.get("MaxResults", size))
    found: list[T] = []
    for entry in entries:
        if after is not None and not _comes_after(key(entry), after):
            continue
        if len(found) == largest:
            return found, {"NextToken": _write(key(found[-1]), question)}
        found.append(entry)
    return found, {}


def _digest(params: Mapping[str, Any], asker: str) -> str:
    asked = {k: v for k, v in params.items() if k not in {"NextToken", "MaxResults"}}
    text = json.dumps([asker, asked], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _write(key: Key, question: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([question, *key]).encode()).decode()


def _read(token: str, question: str) -> Key:
    try:
        said = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        said = None
    # A bool is no int here, though Python's is.
    plain = isinstance(said, list) and all(type(part) in {str, int} for part in said)
    if not plain or said[:1] != [question] or len(said) == 1:
        raise _invalid()
    return tuple(said[1:])


def _comes_after(key: Key, other: Key) -> bool:
    try:
        return key > other
    except TypeError as error:
        raise _invalid() from error


def _invalid() -> UsageError:
    return UsageError("NextToken is invalid, or belongs to another request.")
