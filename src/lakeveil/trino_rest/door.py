"""The door of Trino's client protocol, version 1: an ASGI app over `Queries`.

    POST   /v1/statement                              a statement; its first answer
    GET    /v1/statement/{queued,executing}/ID/SLUG/N the next answer, waited for up to a second
    HEAD   the same                                   the client is still there
    DELETE the same, and /v1/query/ID                 stop the query
    GET    /v1/query/ID                               one of the caller's queries, in short
    GET    /v1/info                                   which server this is; for anybody

All but the last need `Authorization` (`sign_in`). What goes wrong with a statement is told in the
document, with HTTP 200, as Trino does; 401 is for whoever is not known, 404 for what is not there
for the caller, 429 where too many wait. Statements run elsewhere: here is only looking, in threads.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread
import structlog

from lakeveil.core.query.failures import QueryError
from lakeveil.errors import LakeveilError, NotFound, Refused, Unavailable
from lakeveil.trino_rest.body import CallerGone, NotTaken, Receive, read_text
from lakeveil.trino_rest.documents import QueryResults, state_of, statement_stats
from lakeveil.trino_rest.headers import RequestHeaders
from lakeveil.trino_rest.queries import (
    LOOK,
    Headers,
    Place,
    Queries,
    call_of,
    started_call,
    told,
)
from lakeveil.trino_rest.sign_in import NotSignedIn, SignedIn, SignIn, SignInDesk

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_STATEMENT_BYTES = 1024 * 1024
"""What is read of a body; the statement itself may be a quarter of it."""
THREADS = 16
SIGN_IN_THREADS = 8
"""Of their own, so that strangers take none from those who have a key."""
MOST_REQUESTS = 200
MOST_SIGNING_IN = 64
LONGEST_WAIT_S = 1.0
SWEEP_EVERY_S = 15.0
_FIRST_NAP_S, _LONGEST_NAP_S = 0.01, 0.1
_SMALLEST_GZIP = 1400
_PLACE = re.compile(
    r"/v1/statement/(?:queued|executing)/([0-9a-f-]{36})/([0-9a-f]{32})/([0-9]{1,18})", re.ASCII
)
_QUERY = re.compile(r"/v1/query/([0-9a-f-]{36})", re.ASCII)
_JSON, _PLAIN = "application/json", "text/plain; charset=utf-8"
_T = TypeVar("_T")

log = structlog.get_logger(component="trino")


class Observer(Protocol):
    """Told of every answered request; where metrics come from."""

    def __call__(self, *, operation: str, code: str, seconds: float) -> None:
        """`operation` is `statement`, `page`, `stop`, `query`, `info` or `-`; `code` the status."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = _PLAIN
    headers: Headers = ()


def is_trino(path: str) -> bool:
    """Whether a path is this door's."""
    return path in {"/v1/statement", "/v1/info"} or path.startswith(
        ("/v1/statement/", "/v1/query/")
    )


def trino_door(
    queries: Queries,
    sign_in: SignInDesk,
    *,
    version: str,
    observe: Observer | None = None,
    body_timeout_s: float = 30.0,
    sweep_every_s: float = SWEEP_EVERY_S,
) -> App:
    """An ASGI app for the paths of `is_trino`.

    At most `MOST_REQUESTS` are on their way at once; beyond that callers are told to try again,
    which Trino's clients do. Queries whose clients are gone are looked for every `sweep_every_s`.
    """
    door = _Door(
        queries=queries,
        sign_in=SignIn(desk=sign_in),
        version=version,
        body_timeout_s=body_timeout_s,
        sweep_every_s=sweep_every_s,
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        door.watch()
        request = _Request.of(scope)
        answer: Answer | None = None
        try:
            answer = await door.answer(request, receive)
        except CallerGone:
            log.info("the caller went away")
        except Exception as error:
            answer = _wrong(error)
            if answer.status == 500:  # noqa: PLR2004 - ours
                log.exception("call failed", operation=request.operation)
        if answer is not None:
            await _send(send, answer, request)
        if observe:
            code = str(answer.status) if answer else "-"
            observe(operation=request.operation, code=code, seconds=request.seconds)

    return app


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    query: str
    headers: RequestHeaders
    scheme: str
    source_ip: str
    began: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(cls, scope: Scope) -> _Request:
        client = scope.get("client")
        return cls(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=RequestHeaders.of(scope["headers"]),
            scheme=scope.get("scheme", "http"),
            # Headers that name another address are anybody's to write, and not looked at.
            source_ip=str(client[0]) if client else "",
        )

    @property
    def base(self) -> str:
        """The address under which the caller knows us."""
        return f"{self.scheme}://{self.headers.one('host')}"

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    @property
    def operation(self) -> str:
        if self.path == "/v1/info":
            return "info"
        if self.method == "DELETE":
            return "stop"
        if self.path == "/v1/statement":
            return "statement"
        return "page" if _PLACE.fullmatch(self.path) else "query"

    @property
    def wait_s(self) -> float:
        """How long an answer may be waited for: `maxWait=500ms`, a second at most."""
        found = re.search(r"(?:^|&)maxWait=(\d{1,9}(?:\.\d{1,9})?)(ms|s)(?:&|$)", self.query)
        if found is None:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, float(found[1]) / (1000 if found[2] == "ms" else 1))


@dataclass(slots=True, kw_only=True)
class _Places:
    """How many requests may be on their way, and the threads in which their work is done."""

    threads: int
    most: int
    taken: int = 0
    limiter: anyio.CapacityLimiter | None = None
    """Made in the event loop, with the first request."""

    @contextmanager
    def one(self) -> Iterator[None]:
        if self.taken >= self.most:
            raise _Busy
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def run(self, work: Callable[[], _T]) -> _T:
        if self.limiter is None:
            self.limiter = anyio.CapacityLimiter(self.threads)
        return await anyio.to_thread.run_sync(work, limiter=self.limiter)


class _Busy(Exception):
    """Every place is taken."""


@dataclass(slots=True, kw_only=True)
class _Door:
    """The state that requests share."""

    queries: Queries
    sign_in: SignIn
    version: str
    body_timeout_s: float
    sweep_every_s: float
    began: float = field(default_factory=time.monotonic)
    places: _Places = field(default_factory=lambda: _Places(threads=THREADS, most=MOST_REQUESTS))
    strangers: _Places = field(
        default_factory=lambda: _Places(threads=SIGN_IN_THREADS, most=MOST_SIGNING_IN)
    )
    sweeping: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Begin to look for abandoned queries, in the event loop of the first request."""
        if self.sweeping is None or self.sweeping.done():
            self.sweeping = asyncio.get_running_loop().create_task(self._sweep())

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self.sweep_every_s)
            try:
                await self.places.run(self.queries.cancel_abandoned)
            except LakeveilError as error:
                log.warning("abandoned queries run on", reason=error.code, why=error.what)

    async def answer(self, request: _Request, receive: Receive) -> Answer:
        if request.path == "/v1/info":
            return self._server() if request.method in {"GET", "HEAD"} else _not_that()
        with self.strangers.one():
            who = await self.strangers.run(partial(self._who, request))
        with self.places.one():
            if request.path == "/v1/statement":
                return await self._statement(request, receive, who)
            if found := _PLACE.fullmatch(request.path):
                place = Place(query_id=found[1], slug=found[2], start=int(found[3]))
                return await self._place(request, place, who)
            if found := _QUERY.fullmatch(request.path):
                return await self._query(request, found[1], who)
        raise NotFound("There is nothing at this address.")

    def _who(self, request: _Request) -> SignedIn:
        return self.sign_in.who(
            request.headers, source_ip=request.source_ip, request_id=str(uuid.uuid4())
        )

    async def _statement(self, request: _Request, receive: Receive, who: SignedIn) -> Answer:
        if request.method != "POST":
            return _not_that()
        text = await read_text(receive, MAX_STATEMENT_BYTES, self.body_timeout_s)
        call = started_call(who, source_ip=request.source_ip)
        work = partial(
            self.queries.answer, text, request.headers, who, base=request.base, call=call
        )
        results, headers = await self.places.run(work)
        log.info("statement", query=results.id, state=results.state, access_key=who.access_key)
        return _document(results, headers)

    async def _place(self, request: _Request, place: Place, who: SignedIn) -> Answer:
        call = call_of(who, LOOK, request_id=place.query_id, source_ip=request.source_ip)
        if request.method == "DELETE":
            await self.places.run(partial(self.queries.stop, place, call=call))
            return Answer(status=204)
        if request.method not in {"GET", "HEAD"}:
            return _not_that()
        look = partial(self.queries.look, place, call=call)
        try:
            found = await self.places.run(look)
            if request.method == "HEAD":
                return Answer(status=200)
            until, nap = time.monotonic() + request.wait_s, _FIRST_NAP_S
            # No thread is held while nothing happens.
            while not found.state.over and time.monotonic() < until:
                await asyncio.sleep(nap)
                nap = min(2 * nap, _LONGEST_NAP_S)
                found = await self.places.run(look)
            page = partial(self.queries.page, found, place.start, base=request.base, call=call)
            return _document(await self.places.run(page))
        except Refused as error:
            return _document(
                QueryResults(
                    id=place.query_id,
                    info_uri=f"{request.base}/v1/query/{place.query_id}",
                    state="FAILED",
                    failure=told(error),
                )
            )

    async def _query(self, request: _Request, query_id: str, who: SignedIn) -> Answer:
        call = call_of(who, LOOK, request_id=query_id, source_ip=request.source_ip)
        if request.method == "DELETE":
            await self.places.run(partial(self.queries.stop_own, query_id, call=call))
            return Answer(status=204)
        if request.method != "GET":
            return _not_that()
        found = await self.places.run(partial(self.queries.own, query_id, call=call))
        document = {
            "queryId": found.id,
            "session": {
                "user": found.principal,
                "catalog": found.catalog,
                "schema": found.database,
            },
            "state": state_of(found),
            "self": f"{request.base}{request.path}",
            "query": found.sql,
            "queryStats": statement_stats(state_of(found), found.statistics),
        }
        return Answer(status=200, body=json.dumps(document).encode(), content_type=_JSON)

    def _server(self) -> Answer:
        document = {
            "nodeVersion": {"version": self.version},
            "environment": "lakeveil",
            "coordinator": True,
            "starting": False,
            "uptime": f"{(time.monotonic() - self.began) / 60:.2f}m",
        }
        return Answer(status=200, body=json.dumps(document).encode(), content_type=_JSON)


def _document(results: QueryResults, headers: Headers = ()) -> Answer:
    return Answer(status=200, body=results.encoded(), content_type=_JSON, headers=headers)


def _not_that() -> Answer:
    return Answer(status=405, body=b"That method is not for this address.\n")


def _wrong(error: Exception) -> Answer:
    """What cannot be told in a document. Nothing is told of what is ours."""
    for kind, (status, text, headers) in _HTTP_ERRORS.items():
        if isinstance(error, kind):
            return Answer(status=status, body=f"{text or error}\n".encode(), headers=headers)
    if isinstance(error, NotTaken):
        return Answer(status=error.status, body=f"{error}\n".encode())
    if isinstance(error, QueryError):
        return Answer(status=400, body=f"{error.what}\n".encode())
    return Answer(status=500, body=b"The request could not be answered.\n")


_HTTP_ERRORS: Mapping[type[Exception], tuple[int, str, Headers]] = {
    NotSignedIn: (
        401,
        "",
        (("www-authenticate", 'Basic realm="Lakeveil"'), ("www-authenticate", "Bearer")),
    ),
    _Busy: (429, "Too many requests are on their way.", (("retry-after", "1"),)),
    NotFound: (404, "Query not found", ()),
    Unavailable: (503, "A component does not answer. Try again.", ()),
    Refused: (403, "Access Denied", ()),
}
"""Status, text and headers; the error's own words where there is no text."""


async def _send(send: Send, answer: Answer, request: _Request) -> None:
    body = answer.body
    headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in answer.headers]
    if answer.status != 204:  # noqa: PLR2004 - no content
        headers.append((b"content-type", answer.content_type.encode()))
    accepted = {part.partition(";")[0] for part in request.headers.several("accept-encoding")}
    if "gzip" in accepted and len(body) >= _SMALLEST_GZIP:
        body = await anyio.to_thread.run_sync(partial(gzip.compress, body, compresslevel=4))
        headers.append((b"content-encoding", b"gzip"))
    if answer.status != 204:  # noqa: PLR2004
        headers.append((b"content-length", str(len(body)).encode()))
    headers.append((b"vary", b"accept-encoding"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else body})
