"""Queries and workgroups in our database; see `lakeveil.ports.queries`."""

from lakeveil.adapters.queries.log import SqlQueryLog
from lakeveil.adapters.queries.workgroups import SqlWorkgroups

__all__ = ["SqlQueryLog", "SqlWorkgroups"]
