"""What a signature has already done: a signed request that changes something runs at most once.

A signature is good for `MAX_SKEW_S` around its date, and whoever sees a request can send it again.
Clients themselves do, when a connection breaks and the second has not changed. So the answer to
each changing call is kept until its signature has run out, and is the answer to every copy.

What cannot be known is refused, and told to try again, which signs anew: copies of a call that is
still running; calls signed before this memory began, as an earlier process may have answered them;
new calls when the memory is full, which never forgets early; and what looks like a copy but is
another call by its client's word (`amz-sdk-invocation-id`, which is not signed): signatures have
whole seconds, so create, delete, create within one second are two signatures.

One process serves a port; several in front of one state would have to share this. After a restart,
a client whose clock ran ahead of ours is not protected for as long as it was ahead.
"""

from __future__ import annotations

import heapq
import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from lakeveil.aws.sigv4 import MAX_SKEW_S, Verified
from lakeveil.aws.wire import Answer

MOST_CALLS = 100_000
"""Changing calls remembered at once, half of them of one key: some 300 a second, without end."""
MOST_BYTES = 64 * 2**20
"""Of remembered answers."""
MARGIN_S = 1.0

_SERVER_ERRORS = 500


class RunsAgainLater(Exception):
    """The call was not run, and may be sent again with a new signature. The message says why."""


@dataclass(slots=True)
class _Record:
    until: float
    access_key: str
    invocation: str | None
    answer: Answer | None = None
    """None: it is still running."""


@dataclass(slots=True, kw_only=True)
class Replays:
    """The memory of one door. Thread-safe. Times are UTC seconds, as in signatures."""

    began: float
    most_calls: int = MOST_CALLS
    most_bytes: int = MOST_BYTES
    _records: dict[str, _Record] = field(default_factory=dict)
    _ends: list[tuple[float, str]] = field(default_factory=list)
    _by_key: Counter[str] = field(default_factory=Counter)
    _bytes: int = 0
    _latest: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def once(
        self,
        signed: Verified,
        *,
        now: float,
        work: Callable[[], Answer],
        invocation: str | None = None,
    ) -> Answer:
        """The answer of `work`, run unless this signature has been answered already.

        `invocation` is what the client calls this call and its own copies of it, if it says so.
        An answer that says that we failed (5xx) is not kept: such a call may run again.

        Raises:
            RunsAgainLater: it cannot be run now; `work` was not called.
        """
        signature = _of(signed)
        with self._lock:
            kept = self._enter(signed, now, invocation)
        if kept is not None:
            return kept
        answer: Answer | None = None
        try:
            answer = work()
        finally:
            with self._lock:
                self._leave(signature, answer)
        return answer

    def _enter(self, signed: Verified, now: float, invocation: str | None) -> Answer | None:
        self._latest = max(self._latest, now)
        self._forget()
        # A clock that was set back must not make a copy good again whose record is gone. Dates
        # of signatures have whole seconds.
        since = max(math.floor(self.began), self._latest - MAX_SKEW_S)
        if signed.signed_at < since:
            raise RunsAgainLater("The request was signed too long ago to be run. Try again.")
        record = self._records.get(_of(signed))
        if record is not None:
            if record.answer is None:
                raise RunsAgainLater("The same request is still running. Try again.")
            if invocation and record.invocation and invocation != record.invocation:
                raise RunsAgainLater("An equal request was signed in the same second. Try again.")
            return record.answer
        key = signed.caller.access_key
        # One key alone must not keep all others from changing anything.
        if (
            len(self._ends) >= self.most_calls
            or self._bytes >= self.most_bytes
            or self._by_key[key] >= max(1, self.most_calls // 2)
        ):
            raise RunsAgainLater("Too many changes in a short time. Try again later.")
        until = signed.signed_at + MAX_SKEW_S + MARGIN_S
        self._records[_of(signed)] = _Record(until, key, invocation)
        self._by_key[key] += 1
        heapq.heappush(self._ends, (until, _of(signed)))
        return None

    def _leave(self, signature: str, answer: Answer | None) -> None:
        record = self._records.get(signature)
        if record is None:
            return
        if answer is None or answer.status >= _SERVER_ERRORS:
            self._drop(signature, record)
        else:
            record.answer = answer
            self._bytes += len(answer.body)

    def _forget(self) -> None:
        while self._ends and self._ends[0][0] < self._latest:
            until, signature = heapq.heappop(self._ends)
            record = self._records.get(signature)
            # One that ran again after a fault of ours has an end of its own.
            if record is not None and record.until == until:
                self._drop(signature, record)

    def _drop(self, signature: str, record: _Record) -> None:
        del self._records[signature]
        self._by_key[record.access_key] -= 1
        if not self._by_key[record.access_key]:
            del self._by_key[record.access_key]
        if record.answer is not None:
            self._bytes -= len(record.answer.body)


def _of(signed: Verified) -> str:
    # Should two keys ever have one secret, their equal requests have one signature.
    return f"{signed.caller.access_key}/{signed.signature}"
