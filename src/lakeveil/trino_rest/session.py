"""The session that a client carries: its catalog, schema, properties and prepared statements.

Nothing of it is kept here. The workgroup is the session property `workgroup`, else the client tag
`workgroup=NAME`, else `primary`. What a client asks for and does not get is refused: properties
that are not ours, another catalog, a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.core.query.workgroups import PRIMARY
from lakeveil.sql.guard import CATALOGS
from lakeveil.trino_rest.headers import RequestHeaders

CATALOG = "awsdatacatalog"
PROPERTIES: Mapping[str, str] = {
    "workgroup": "Whose limits and costs the queries are",
    "output_location": "Where results are written, if the workgroup leaves that open",
}
_TAG = "workgroup="


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSession:
    """What a request says of its session. `user` is the name that the client gives itself."""

    user: str = ""
    schema: str = ""
    tags: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    prepared: Mapping[str, str] = field(default_factory=dict)
    """Statements by name."""

    @property
    def workgroup(self) -> str:
        """The workgroup that queries run in."""
        if chosen := self.properties.get("workgroup"):
            return chosen
        tagged = [tag.removeprefix(_TAG) for tag in self.tags if tag.startswith(_TAG)]
        return tagged[0] if tagged else PRIMARY


def client_session(headers: RequestHeaders) -> ClientSession:
    """The session of a request.

    Raises:
        QueryError: CATALOG_NOT_FOUND, INVALID_SESSION_PROPERTY; NOT_SUPPORTED, a transaction.
    """
    catalog = headers.one("x-trino-catalog")
    if catalog:
        check_catalog(catalog)
    if headers.one("x-trino-transaction-id").upper() not in {"", "NONE"}:
        raise no_transactions()
    properties = headers.pairs("x-trino-session")
    for name in properties:
        check_property(name)
    return ClientSession(
        user=headers.one("x-trino-user"),
        schema=headers.one("x-trino-schema"),
        tags=tuple(headers.several("x-trino-client-tags")),
        properties=properties,
        prepared=headers.pairs("x-trino-prepared-statement"),
    )


def check_catalog(catalog: str) -> None:
    """Refuse a catalog that there is not.

    Raises:
        QueryError: CATALOG_NOT_FOUND.
    """
    if catalog.lower() not in CATALOGS:
        raise QueryError(ErrorName.CATALOG_NOT_FOUND, f"Catalog '{catalog[:255]}' not found")


def check_property(name: str) -> None:
    """Refuse a session property that there is not.

    Raises:
        QueryError: INVALID_SESSION_PROPERTY.
    """
    if name not in PROPERTIES:
        raise QueryError(
            ErrorName.INVALID_SESSION_PROPERTY, f"Session property '{name[:255]}' does not exist"
        )


def no_transactions() -> QueryError:
    """The refusal of whatever spans more than one statement."""
    return QueryError(
        ErrorName.NOT_SUPPORTED, "Transactions are not supported: every statement commits by itself"
    )
