"""What a row of the table is: one request, by whom, and what becomes of it.

Rows are data, so that they can be sent by several clients, by others than they are meant for, and
spoilt. What only an earlier answer tells is a `Told`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A value out of the latest answer to an operation: the members on the way to it."""

    operation: str
    path: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A web identity's token, a new one each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request. `refused` is the error's code where it is meant to be refused."""

    service: str
    operation: str
    who: str
    params: Params
    refused: str = ""

    def __str__(self) -> str:
        return f"{self.service}:{self.operation} by {self.who}"


def row(who: str, call: str, /, **params: Any) -> Row:
    """A row; `call` is written as IAM writes it, `glue:GetTable`."""
    service, _, operation = call.partition(":")
    return Row(service=service, operation=operation, who=who, params=params)


def refused(code: str, meant: Row) -> Row:
    """A row that is meant to be refused, with this error's code."""
    return replace(meant, refused=code)


def told(operation: str, *path: str | int) -> Told:
    """A value out of an earlier answer."""
    return Told(operation, path)


def resolved(value: Any, answers: Mapping[str, Any], token: Callable[[], str]) -> Any:
    """Parameters with what was told in place of each `Told`."""
    match value:
        case Told(operation=operation, path=path):
            found = answers[operation]
            for part in path:
                found = found[part]
            return found
        case Token():
            return token()
        case Mapping():
            return {key: resolved(item, answers, token) for key, item in value.items()}
        case list() | tuple():
            return [resolved(item, answers, token) for item in value]
        case _:
            return value
