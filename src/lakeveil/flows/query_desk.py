"""What queries are run with, and what every one of them goes past."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lakeveil.core.identity.principal import Principal
from lakeveil.core.query.execution import QueryExecution
from lakeveil.flows.catalog_desk import CatalogDesk
from lakeveil.ports import Clock
from lakeveil.ports.engine import Engine, JobLimits, RunningJob, ScanPlanner
from lakeveil.ports.queries import QueryLog, Workgroups
from lakeveil.ports.results import ResultStore

WhoNow = Callable[[str], Principal]
"""Whose an access key is at this moment; raises `Refused` where it is good no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJobs:
    """The jobs of this process, so that they can be stopped from another thread."""

    _jobs: dict[str, RunningJob] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def holding(self, query_id: str, job: RunningJob) -> Iterator[None]:
        """Let others stop the job while it runs."""
        with self._lock:
            self._jobs[query_id] = job
        try:
            yield
        finally:
            with self._lock:
                self._jobs.pop(query_id, None)

    def stop(self, query_id: str) -> bool:
        """End a job's process; whether there was one here."""
        with self._lock:
            job = self._jobs.get(query_id)
        if job is None:
            return False
        job.stop()
        return True

    def all(self) -> dict[str, RunningJob]:
        """Those on their way, by the query's id."""
        with self._lock:
            return dict(self._jobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDesk:
    """The catalog, an engine, where results go, and the records of it all.

    `salt` is what masks hash with; it is the lake's own secret. `server` names this process.
    """

    catalog: CatalogDesk
    engine: Engine
    planner: ScanPlanner
    results: ResultStore
    log: QueryLog
    workgroups: Workgroups
    who_now: WhoNow
    server: str
    salt: str = field(repr=False)
    region: str = "us-east-1"
    limits: JobLimits = field(default_factory=JobLimits)
    waiting: int = 200
    """Queries of an account that may be queued."""
    jobs: RunningJobs = field(default_factory=RunningJobs)

    @property
    def clock(self) -> Clock:
        """The clock of the catalog."""
        return self.catalog.clock


def workgroup_arn(desk: QueryDesk, account: str, workgroup: str) -> str:
    """As policies name it."""
    return f"arn:aws:athena:{desk.region}:{account}:workgroup/{workgroup}"


def said_query(execution: QueryExecution) -> str:
    """A query as records of the audit log name it."""
    return f"query {execution.id} in {execution.account}/{execution.workgroup}"
