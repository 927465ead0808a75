"""The headers of a request: one value each, lists, and pairs as Trino's clients write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_plus

from lakeveil.core.query.failures import ErrorName, QueryError


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """Names in lower case, in the order in which they came."""

    given: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, raw: Iterable[tuple[bytes, bytes]]) -> RequestHeaders:
        """Those of an ASGI scope."""
        return cls(tuple((n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in raw))

    def one(self, name: str) -> str:
        """The value of a header; empty where it is not there, or more than once."""
        found = [value for one, value in self.given if one == name]
        return found[0].strip() if len(found) == 1 else ""

    def several(self, name: str) -> list[str]:
        """The parts of a list, however many headers it is spread over."""
        found = ",".join(value for one, value in self.given if one == name)
        return [part.strip() for part in found.split(",") if part.strip()]

    def pairs(self, name: str) -> dict[str, str]:
        """`name=value` parts of a list, whose values are percent-encoded.

        Raises:
            QueryError: a part has no name.
        """
        found: dict[str, str] = {}
        for part in self.several(name):
            key, equals, value = part.partition("=")
            if not equals or not key.strip():
                raise QueryError(
                    ErrorName.INVALID_ARGUMENTS, f"The header {name} is a list of `name=value`"
                )
            found[key.strip()] = unquote_plus(value.strip())
        return found
