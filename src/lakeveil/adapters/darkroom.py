"""The darkroom: photos are developed in child processes that may hang, crash or run out of memory.

Any number of threads may use one darkroom; each photo has a warm child to itself meanwhile. A
child is replaced after so many photos, and after anything that may have left it in disorder.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

import msgspec

from lakeveil.adapters.child import ending
from lakeveil.adapters.isolated import (
    Answer,
    ChildCommand,
    ChildEnded,
    IsolatedChild,
    confine,
    serve,
)
from lakeveil.core.photos import Instructions, Preset, RedactionPolicy
from lakeveil.errors import (
    BadPhoto,
    CannotLook,
    DetectorFailed,
    LakeveilError,
    Refused,
    SetupError,
    Unavailable,
    UsageError,
)
from lakeveil.pixels.examination import Examination
from lakeveil.pixels.files.limits import Limits
from lakeveil.pixels.files.refusals import bad
from lakeveil.pixels.rendition import Rendition

PHOTOS_PER_CHILD = 500
"""Then a fresh child takes over: whatever leaked or was left behind is gone."""


class RoomSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What a child needs to know before its first photo."""

    models_dir: str
    memory_bytes: int
    limits: Limits = Limits()
    detector_threads: int = 1
    presets: tuple[Preset, ...] = (Preset.DEFAULT,)
    """Detectors to load at once; others are loaded when a photo asks for them."""
    rekognition_region: str = ""
    """Where policies that want Amazon Rekognition have it asked; empty: nowhere, it is refused."""


class Room(Protocol):
    """What a child does with a photo: the flows, with this child's detectors."""

    def develop(
        self, data: bytes, *, policy: RedactionPolicy, instructions: Instructions
    ) -> Rendition:
        """See `lakeveil.flows.develop_photo`."""
        ...

    def examine(self, data: bytes, *, policy: RedactionPolicy) -> Examination:
        """See `lakeveil.flows.examine_photo`."""
        ...


class _Develop(msgspec.Struct, frozen=True, tag="develop"):
    policy: RedactionPolicy
    instructions: Instructions


class _Examine(msgspec.Struct, frozen=True, tag="examine"):
    policy: RedactionPolicy


class _Ready(msgspec.Struct, frozen=True, tag="ready"):
    pass


class _Developed(msgspec.Struct, frozen=True, tag="developed"):
    rendition: Rendition
    """Its data travels as the body."""


class _Examined(msgspec.Struct, frozen=True, tag="examined"):
    examination: Examination


class _Failed(msgspec.Struct, frozen=True, tag="failed"):
    kind: str
    what: str
    why: str
    fix: str
    code: str


_Question = _Develop | _Examine
_Reply = _Ready | _Developed | _Examined | _Failed

# What a child may raise in here. Whatever else it claims to be, the photo was not looked at.
_KINDS: Mapping[str, type[LakeveilError]] = {
    kind.__name__: kind
    for kind in (CannotLook, BadPhoto, DetectorFailed, SetupError, Unavailable, Refused, UsageError)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DarkroomSpec:
    """How to run children: what they are, and how long one photo may take (wall clock)."""

    setup: RoomSetup
    module: str
    """Run by this Python with `-m`; it calls `serve_room`."""
    arguments: Sequence[str] = ()
    timeout_s: float = 60.0
    start_timeout_s: float = 60.0
    photos_per_child: int = PHOTOS_PER_CHILD
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to a child's environment, which is otherwise all but empty."""

    @property
    def command(self) -> ChildCommand:
        """The command line of a child. `-P`: nothing is imported from the current directory."""
        return ChildCommand(
            argv=(sys.executable, "-P", "-m", self.module, *self.arguments),
            setup=msgspec.json.encode(self.setup),
            start_timeout_s=self.start_timeout_s,
        )


class IsolatedDarkroom:
    """Implements `lakeveil.ports.Darkroom`. Thread-safe; use as a context manager."""

    def __init__(self, spec: DarkroomSpec) -> None:
        """Start one child and wait for it.

        Raises:
            SetupError: it could not load its detectors.
        """
        self._spec = spec
        self._lock = threading.Lock()
        self._idle: list[IsolatedChild] = []
        self._busy: dict[int, IsolatedChild] = {}
        self._closed = False
        # The kernel ties a child to the thread that started it: this one outlives them all.
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="darkroom-spawner")
        try:
            self._idle.append(self._start())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop every child; photos in work end with `Unavailable`."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        self.cancel()
        for child in idle:
            child.dismiss()
        self._spawner.shutdown()

    def develop(
        self, data: bytes, *, policy: RedactionPolicy, instructions: Instructions
    ) -> Rendition:
        """Examine and redact one file in a child.

        Raises:
            BadPhoto: the file is at fault, or it took too much: codes `timeout`, `crashed`,
                `out_of_memory` beside those of `pixels.refusals`.
            DetectorFailed: no face was looked for.
            Unavailable: `cancelled`, or no child could be started; nothing is wrong with the file.
        """
        reply, body = self._ask(_Develop(policy, instructions), data)
        if not isinstance(reply, _Developed):
            raise _crashed("the answer was for another question")
        return replace(reply.rendition, data=body)

    def examine(self, data: bytes, *, policy: RedactionPolicy) -> Examination:
        """Look for faces only. Raises what `develop` raises."""
        reply, _ = self._ask(_Examine(policy), data)
        if not isinstance(reply, _Examined):
            raise _crashed("the answer was for another question")
        return reply.examination

    def cancel(self, thread: int | None = None) -> None:
        """Stop what a thread (by `threading.get_ident()`), or every thread, has in work here.

        The call it waits for raises `Unavailable` with code `cancelled`. Nothing happens where
        nothing is in work.
        """
        with self._lock:
            chosen = [c for t, c in self._busy.items() if thread is None or t == thread]
        for child in chosen:
            child.cancel()

    @property
    def children(self) -> tuple[int, ...]:
        """Process ids of the children that stand by or work."""
        with self._lock:
            return tuple(c.pid for c in (*self._idle, *self._busy.values()))

    def _ask(self, question: _Question, data: bytes) -> tuple[_Reply, bytes]:
        deadline = time.monotonic() + self._spec.timeout_s
        head = msgspec.json.encode(question)
        try:
            return self._ask_once(head, data, deadline)
        except ChildEnded as ended:
            if not ended.killed_from_outside or time.monotonic() >= deadline:
                raise _unanswered(ended, self._spec.timeout_s) from ended
        # Somebody killed the child: that says nothing of the photo yet. Once more.
        try:
            return self._ask_once(head, data, deadline)
        except ChildEnded as ended:
            raise _unanswered(ended, self._spec.timeout_s) from ended

    def _ask_once(self, head: bytes, data: bytes, deadline: float) -> tuple[_Reply, bytes]:
        with self._child() as child:
            answer, body = child.ask(head, data, timeout_s=max(0.001, deadline - time.monotonic()))
            reply = _parsed(answer)
            if isinstance(reply, _Failed):
                error = _error(reply)
                raise _missing_by_now(error) if isinstance(error, SetupError) else error
            return reply, body

    @contextlib.contextmanager
    def _child(self) -> Iterator[IsolatedChild]:
        """A ready child for this thread; it stays for others unless something went wrong."""
        me = threading.get_ident()
        child = self._take(me)
        keep = False
        try:
            yield child
            keep = True
        except BadPhoto as error:
            keep = error.code not in {"out_of_memory", "crashed"}
            raise
        finally:
            with self._lock:
                self._busy.pop(me, None)
                keep = keep and not self._closed and child.answered < self._spec.photos_per_child
                if keep:
                    self._idle.append(child)
            if not keep:
                child.stop()

    def _take(self, thread: int) -> IsolatedChild:
        while True:
            with self._lock:
                if self._closed:
                    raise _closed()
                child = self._idle.pop() if self._idle else None
                if child is not None and child.alive:
                    self._busy[thread] = child
                    return child
            if child is None:
                break
            child.stop()
        try:
            child = self._start()
        except SetupError as error:
            raise _missing_by_now(error) from error
        if not self._claimed(child, thread):
            child.stop()
            raise _closed()
        return child

    def _claimed(self, child: IsolatedChild, thread: int) -> bool:
        """Put a new child to work for `thread`; False where the darkroom closed meanwhile."""
        with self._lock:
            if not self._closed:
                self._busy[thread] = child
            return not self._closed

    def _start(self) -> IsolatedChild:
        child = IsolatedChild(self._spec.command, spawner=self._spawner, env=dict(self._spec.env))
        try:
            reply = _parsed(child.ready())
        except ChildEnded as ended:
            raise _did_not_start(str(ended)) from ended
        except BaseException:
            child.stop()
            raise
        if isinstance(reply, _Failed):
            child.stop()
            error = _error(reply)
            if isinstance(error, SetupError):
                raise error
            raise _did_not_start(f"{error.what}: {error.why}") from error
        return child


def _parsed(head: bytes) -> _Reply:
    try:
        reply: _Reply = msgspec.json.decode(head, type=_Reply)
    except (msgspec.DecodeError, UsageError, ValueError) as error:
        raise _crashed(f"its answer makes no sense: {error}") from error
    return reply


def _error(reply: _Failed) -> LakeveilError:
    kind = _KINDS.get(reply.kind, BadPhoto)
    return kind(reply.what, why=reply.why, fix=reply.fix, code=reply.code)


def _unanswered(ended: ChildEnded, timeout_s: float) -> LakeveilError:
    match ended.why:
        case "cancelled":
            return Unavailable(
                "the work on the photo was stopped before it was done",
                why="the worker was told to stop, or its lease on the photo ran out",
                fix="nothing: the photo comes back",
                code="cancelled",
            )
        case "timeout":
            return BadPhoto(
                "the photo took too long",
                why=f"it was not done within {timeout_s:g} s",
                fix="raise worker.timeout_s, then retry the photo",
                code="timeout",
            )
        case "died" | "garbled":
            if "bad_alloc" in ended.last_words or "MemoryError" in ended.last_words:
                why = f"the process that decodes it ended ({ending(ended.code)})"
                return bad("out_of_memory", why)
            return _crashed(str(ended))


def _crashed(why: str) -> BadPhoto:
    return BadPhoto(
        "the process that develops photos crashed over this one",
        why=why,
        fix="save the photo again with a photo editor; please report it if that helps",
        code="crashed",
    )


def _did_not_start(why: str) -> SetupError:
    return SetupError(
        "the process that develops photos does not start",
        why=why,
        fix="run `lakeveil doctor`; raise worker.memory_size_mib if it ran out of memory",
        code="darkroom_failed",
    )


def _missing_by_now(error: SetupError) -> Unavailable:
    """It was complete when we started: what is missing now is no fault of this photo."""
    return Unavailable(error.what, why=error.why, fix=error.fix, code="darkroom_unavailable")


def _closed() -> Unavailable:
    return Unavailable(
        "the darkroom is closed", why="the worker is stopping", fix="nothing", code="cancelled"
    )


# --- in the child ----------------------------------------------------------------------------


def serve_room(open_room: Callable[[RoomSetup], Room]) -> None:
    """Run a child: the first question sets it up, each later one is a photo. Returns at the end."""
    rooms: list[Room] = []

    def answer(head: bytes, body: bytes) -> Answer:
        try:
            if not rooms:
                setup = msgspec.json.decode(head, type=RoomSetup)
                confine(memory_bytes=setup.memory_bytes)
                rooms.append(open_room(setup))
                return msgspec.json.encode(_Ready()), b""
            return _answered(rooms[0], msgspec.json.decode(head, type=_Question), body)
        except Exception as error:  # noqa: BLE001 - all of it is told to the parent
            return msgspec.json.encode(_told(error)), b""

    serve(answer)


def _answered(room: Room, question: _Question, body: bytes) -> Answer:
    if isinstance(question, _Examine):
        examination = room.examine(body, policy=question.policy)
        return msgspec.json.encode(_Examined(examination)), b""
    rendition = room.develop(body, policy=question.policy, instructions=question.instructions)
    return msgspec.json.encode(_Developed(replace(rendition, data=b""))), rendition.data


def _told(error: Exception) -> _Failed:
    known: LakeveilError
    if _is_about_memory(error):
        known = bad("out_of_memory", "the process that decodes it is not allowed any more")
    elif isinstance(error, LakeveilError):
        known = error
    else:
        known = _crashed(f"{type(error).__name__}: {error}")
    return _Failed(type(known).__name__, known.what, known.why, known.fix, known.code)


def _is_about_memory(error: BaseException | None) -> bool:
    while error is not None:
        # ONNX Runtime has no exception of its own for it.
        if isinstance(error, MemoryError) or any(
            words in str(error) for words in ("bad_alloc", "allocate memory")
        ):
            return True
        error = error.__cause__
    return False
