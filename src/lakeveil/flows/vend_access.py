"""Credentials for the storage behind a table: refused, and on record.

A storage credential opens whole files, with every column in them, so none is given out until it can
be limited to who may read all of a table. Asking tells nothing: what the caller may not know of is
not there, and whoever may read nothing of it learns that and no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from lakeveil.core.access.deciding.data_access import decide_data
from lakeveil.core.access.grants import TableName
from lakeveil.core.audit import AuditOutcome
from lakeveil.errors import NotFound, Refused
from lakeveil.flows.change_access import AccessDesk, Call, insufficient, looking
from lakeveil.flows.known_resources import known_table


def refuse_table_credentials(name: TableName, *, call: Call, desk: AccessDesk) -> NoReturn:
    """Refuse credentials for a table, or deny that it is there.

    Raises:
        NotFound: it is not there for the caller.
        Refused: otherwise.
    """
    resource = f"table {name.account}/{name}"
    authority = looking(call.who, desk)
    try:
        table = known_table(desk.lake, authority, name)
        if not decide_data(call.who, table, authority.policy, now=authority.now).rows:
            raise insufficient("Select", str(name))
    except (NotFound, Refused) as error:
        desk.audit.record(call.event(AuditOutcome.REFUSED, resource, error_code=error.code))
        raise
    raise _refused(resource, call, desk)


def refuse_location_credentials(places: Iterable[str], *, call: Call, desk: AccessDesk) -> NoReturn:
    """Refuse credentials for locations, whether or not they are registered.

    Raises:
        Refused: always.
    """
    raise _refused(f"locations {', '.join(sorted(places))}", call, desk)


def _refused(resource: str, call: Call, desk: AccessDesk) -> Refused:
    refused = Refused(
        "Credentials for storage are not vended by Lakeveil yet. Read the table through a query.",
        code="vending_unavailable",
    )
    desk.audit.record(call.event(AuditOutcome.REFUSED, resource, error_code=refused.code))
    return refused
