"""One lane of a worker: a thread that works on one message at a time, while it holds a slot."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog

from lakeveil.core.events import Change, ObjectEvent, normalise
from lakeveil.core.outcomes import PhotoRecord, Retry, Skipped
from lakeveil.core.retry import backoff_s
from lakeveil.errors import LakeveilError, SetupError, Unavailable, UsageError
from lakeveil.ports import Clock, Limiter, Message, Queue, Work
from lakeveil.worker.leases import Lease, Slot, WorkInHand

RATE = "detections"
PATIENCE = 5
"""What is not the message's fault (a component is away, the worker died) may happen this many
times `max_receive_count` before the message is given up: hours, as the waits grow."""
SLOT_POLL_S = 0.25
LONGEST_PAUSE_S = 30.0

Result = PhotoRecord | Retry | Skipped
Handle = Callable[[ObjectEvent, Work], Result]

_log = structlog.get_logger(__name__)


class Ending(StrEnum):
    """What became of a message."""

    ACKED = "acked"
    """Every event has its outcome on record."""
    RETRIED = "retried"
    """It comes back after a delay."""
    BURIED = "buried"
    """It lies with the dead letters."""
    ABANDONED = "abandoned"
    """It was not answered: its lease was lost, or the broker is away. It comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """One message's end, for metrics. `results` are those of its events that came to one."""

    message_id: str
    ending: Ending
    results: tuple[Result, ...] = ()
    reason: str = ""
    receive_count: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    ending: Ending
    results: tuple[Result, ...] = ()
    reason: str = ""
    delay_s: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class Lane:
    """One thread of work and what it holds. `run` is its thread; the rest may be called by others.

    `stopping` says whether to come to an end; it is asked often.
    """

    queue: Queue
    limiter: Limiter
    handle: Handle
    slot: Slot
    batch_size: int
    detections_per_second: float
    max_receive_count: int
    stopping: Callable[[], bool]
    clock: Clock
    on_outcome: Callable[[Settled], None]
    wait_s: float
    finished: bool = False
    _leases: Sequence[Lease] = ()
    _work: WorkInHand | None = None
    _failures: int = 0
    """How often in a row a component was away."""

    def run(self) -> None:
        """Work until `stopping`; then finish the message in hand and give back the others."""
        try:
            while not self.stopping():
                try:
                    self._invocation()
                except Unavailable as error:
                    self._component_away(error)
                if self._failures:
                    # Others may reach what we cannot: they get the slot meanwhile.
                    self.slot.give_back()
                    self._pause(min(_backoff_s(self._failures), LONGEST_PAUSE_S))
        finally:
            self.slot.give_back()

    def keep_leases(self, done: threading.Event) -> None:
        """Heartbeats for every message in hand."""
        while not done.wait(self.queue.visibility_timeout_s / 16):
            for lease in self._leases:
                lease.extend_if_due()

    def call_off_lost_work(self) -> None:
        """Tell the work in hand when it is no longer ours."""
        if (work := self._work) is not None:
            work.call_off_if_lost()

    def overruns(self) -> bool:
        """Whether work goes on although somebody else may hold the slot."""
        return self._work is not None and self.slot.ended()

    def _invocation(self) -> None:
        """A slot, a batch, an answer for each of its messages."""
        if not self.slot.held() and not self.slot.take():
            self._pause(SLOT_POLL_S)
            return
        messages = self.queue.receive(max_messages=self.batch_size, wait_s=self.wait_s)
        self._failures = 0 if not messages else self._failures
        leases = self._leases = [Lease(self.queue, message) for message in messages]
        failures_before = self._failures
        try:
            for lease in leases:
                if self.stopping() or not self.slot.held() or self._failures > failures_before:
                    lease.answer(self.queue.nack)
                else:
                    self._settle(lease)
        finally:
            self._leases = ()

    def _settle(self, lease: Lease) -> None:
        message, began_at, failures = lease.message, self.clock.now(), self._failures
        verdict = self._verdict(lease)
        if self._failures == failures:
            self._failures = 0
        ending = verdict.ending if self._answered(lease, verdict) else Ending.ABANDONED
        if ending is not Ending.ACKED:
            _log.warning(
                "a message did not succeed",
                ending=str(ending),
                reason=verdict.reason,
                message=message.id,
                receive_count=message.receive_count,
            )
        self.on_outcome(
            Settled(
                message_id=message.id,
                ending=ending,
                results=verdict.results,
                reason=verdict.reason,
                receive_count=message.receive_count,
                seconds=self.clock.now() - began_at,
            )
        )

    def _verdict(self, lease: Lease) -> _Verdict:
        message = lease.message
        if message.receive_count > self.max_receive_count * PATIENCE:
            reason = f"received {message.receive_count} times, and nobody came to an end of it"
            return _Verdict(ending=Ending.BURIED, reason=reason)
        try:
            events = normalise(message.body)
        except UsageError as error:
            return _Verdict(ending=Ending.BURIED, reason=_in_words(error))
        results: list[Result] = []
        trouble = ""
        for event in events:
            try:
                if not self._turn_comes(event, lease):
                    return _Verdict(ending=Ending.RETRIED, reason="it was given back unfinished")
                results.append(self._handled(event, lease))
            except (Unavailable, SetupError) as error:
                self._component_away(error)
                delay_s = _backoff_s(message.receive_count)
                return self._again(message, results, _in_words(error), delay_s, PATIENCE)
            except Exception as error:  # noqa: BLE001 - the message's other events must not suffer
                _log.exception("an event failed", message=message.id)
                trouble = trouble or _in_words(error)
        return self._summed_up(message, results, trouble)

    def _summed_up(self, message: Message, results: list[Result], trouble: str) -> _Verdict:
        retries = [result for result in results if isinstance(result, Retry)]
        if trouble:
            return self._again(message, results, trouble, _backoff_s(message.receive_count), 1)
        if retries:
            # Nothing is wrong with the message: it need not wait ever longer.
            delay_s = max(r.after_s for r in retries) * min(message.receive_count, 10)
            return self._again(message, results, retries[0].reason, delay_s, PATIENCE)
        return _Verdict(ending=Ending.ACKED, results=tuple(results))

    def _again(
        self, message: Message, results: list[Result], reason: str, delay_s: float, patience: int
    ) -> _Verdict:
        """Once more after a while, or never again."""
        if message.receive_count < self.max_receive_count * patience:
            return _Verdict(
                ending=Ending.RETRIED, results=tuple(results), reason=reason, delay_s=delay_s
            )
        return _Verdict(
            ending=Ending.BURIED,
            results=tuple(results),
            reason=f"given up after {message.receive_count} receives: {reason}",
        )

    def _turn_comes(self, event: ObjectEvent, lease: Lease) -> bool:
        """Wait until the shared rate allows one more detection; False if it is ours no more."""

        def given_up() -> bool:
            return not (self.slot.held() and lease.held())

        if self.detections_per_second > 0 and event.change is Change.CREATED:
            wait_s = self.limiter.take(RATE, per_second=self.detections_per_second)
            self._pause(wait_s, until=given_up)
        return not (self.stopping() or given_up())

    def _handled(self, event: ObjectEvent, lease: Lease) -> Result:
        work = self._work = WorkInHand(self.slot, lease)
        try:
            return self.handle(event, work)
        finally:
            self._work = None

    def _answered(self, lease: Lease, verdict: _Verdict) -> bool:
        if verdict.ending is Ending.ACKED:
            return lease.answer(self.queue.ack)
        if verdict.ending is Ending.BURIED:
            return lease.answer(lambda message: self.queue.bury(message, reason=verdict.reason))
        return lease.answer(lambda message: self.queue.nack(message, delay_s=verdict.delay_s))

    def _component_away(self, error: LakeveilError) -> None:
        self._failures += 1
        _log.warning(error.what, why=error.why, failures=self._failures)

    def _pause(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        ends_at = self.clock.now() + seconds
        while not self.stopping() and not until() and (left := ends_at - self.clock.now()) > 0:
            self.clock.sleep(min(left, 0.1))


def _backoff_s(count: int) -> float:
    return backoff_s(count, jitter=random.random())  # noqa: S311 - spreads load, keeps no secret


def _in_words(error: Exception) -> str:
    if isinstance(error, LakeveilError):
        return f"{error.what}: {error.why}" if error.why else error.what
    return f"{type(error).__name__}: {error}"[:500]
