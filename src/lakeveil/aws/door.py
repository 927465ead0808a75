"""The door of all AWS services: one port, one ASGI app, every protocol.

A request is signed, and its signature says which service it is for; the target, the path or the
action say which operation, and must be that service's. Then, in a thread of that service: verify,
parse, ask the gate, run, serialise. Few operations may be called without a signature; they are
named by `Action` in a small form, and anything else that is not signed is refused.
"""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import structlog

from lakeveil.aws.body import ASGIReceive, CallerGone, read_body
from lakeveil.aws.json_rpc import JsonRpc, plain_refusal
from lakeveil.aws.protocol import (
    Access,
    AwsError,
    Observer,
    Service,
    internal_error,
    throttled,
)
from lakeveil.aws.query_xml import QueryXml, is_form
from lakeveil.aws.replay import Replays, RunsAgainLater
from lakeveil.aws.rest_json import RestJson, rest_paths
from lakeveil.aws.shapes import Misfit
from lakeveil.aws.sigv4 import (
    Caller,
    SignatureRefused,
    SignedRequest,
    check_head,
    claimed_service,
    is_signed,
    verify,
)
from lakeveil.aws.wire import Answer, Wire, header

ASGIScope = MutableMapping[str, Any]
ASGISend = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[ASGIScope, ASGIReceive, ASGISend], Awaitable[None]]

UNSIGNED_BODY_BYTES = 64 * 1024
"""The largest token of a web identity has 20,000 characters."""
LOOKUPS = 8
"""Threads that look keys up before the body is read."""

_WIRES: Mapping[str, Callable[[Service], Wire]] = {
    "json": JsonRpc,
    "rest-json": RestJson,
    "query": QueryXml,
}
_T = TypeVar("_T")

log = structlog.get_logger(component="aws")


def aws_door(
    services: Sequence[Service],
    access: Access,
    *,
    observe: Observer | None = None,
    body_timeout_s: float = 30.0,
    replays: Replays | None = None,
) -> ASGIApp:
    """An ASGI app that answers requests for `services`, each in its own protocol.

    Operations are plain functions and run in threads, at most `Service.threads` at once;
    `Service.waiting` more requests may be on their way, and beyond that callers get the service's
    throttling error at once, which every SDK answers by trying again later. Only requests that
    name a key of ours have their body kept, so memory is bounded too. A body that has not arrived
    after `body_timeout_s` is given up.

    Raises:
        ValueError: two services have one name, or the model of one is beyond us.
    """
    wires = {s.signing_name: _WIRES[s.model.metadata["protocol"]](s) for s in services}
    if len(wires) != len(services):
        raise ValueError("two services have the same signing name")
    door = _Door(
        wires=wires,
        by_path={path: w for w in wires.values() for path in rest_paths([w.service])},
        access=access,
        body_timeout_s=body_timeout_s,
        replays=replays or Replays(began=access.now()),
        signed={name: _Places.of(wire.service) for name, wire in wires.items()},
        unsigned={name: _Places.of(wire.service) for name, wire in wires.items()},
    )

    async def app(scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        request = _as_received(scope)
        call = _Call(wire=door.spoken(request), source_ip=_source_ip(scope))
        try:
            answer = await door.answer(request, receive, call)
        except SignatureRefused as refused:
            unsigned = call.wire.unsigned(refused) if call.wire else None
            answer = call.refusal(unsigned or AwsError(refused.code, refused.message))
        except AwsError as error:
            answer = call.refusal(error)
        except CallerGone:
            answer = None
            log.info("the caller went away", request_id=call.request_id)
        except Exception:
            # Whatever it was, the caller gets an error: never an empty result, never details.
            log.exception("call failed", operation=call.operation, request_id=call.request_id)
            answer = call.fault()
        if answer:
            call.note(answer)
            await _send(send, answer)
        if observe:
            code = answer.code if answer else "-"
            observe(operation=call.operation, code=code, seconds=call.seconds)

    return app


@dataclass(slots=True, kw_only=True)
class _Call:
    """One request on its way through the door; filled in as more becomes known."""

    wire: Wire | None
    """Whose protocol the caller speaks, as far as the head shows."""
    source_ip: str = ""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    operation: str = "-"
    access_key: str = ""
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Since the request's head arrived."""
        return time.perf_counter() - self.started

    def refusal(self, error: AwsError) -> Answer:
        """An error in the caller's protocol."""
        if self.wire is None:
            return plain_refusal(error, self.request_id)
        try:
            return self.wire.refusal(error, self.request_id)
        except Misfit:
            log.exception("unknown error", operation=self.operation, request_id=self.request_id)
            return self.fault()

    def fault(self) -> Answer:
        """The answer where the error is ours: nothing of it is told."""
        if self.wire is None:
            return plain_refusal(internal_error(), self.request_id)
        ours = internal_error(self.wire.service.internal_code)
        return self.wire.refusal(ours, self.request_id)

    def note(self, answer: Answer) -> None:
        """Log what is answered."""
        log.info(
            "call",
            service=self.wire.service.signing_name if self.wire else "-",
            operation=self.operation,
            status=answer.status,
            code=answer.code,
            access_key=self.access_key,
            request_id=answer.request_id,
            ms=round(self.seconds * 1000, 1),
        )


@dataclass(slots=True, kw_only=True)
class _Places:
    """How many calls of one kind are on their way, and the threads they run in."""

    service: Service
    places: int
    taken: int = 0
    limiter: anyio.CapacityLimiter | None = None
    """Made in the event loop, with the first call."""

    @classmethod
    def of(cls, service: Service) -> _Places:
        """Those that the service asks for."""
        return cls(service=service, places=service.threads + service.waiting)

    def check(self) -> None:
        """Raises the service's throttling error where every place is taken."""
        if self.taken >= self.places:
            raise throttled(self.service)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place."""
        self.check()
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def run(self, work: Callable[[], _T]) -> _T:
        """In a thread, when one is free."""
        if self.limiter is None:
            self.limiter = anyio.CapacityLimiter(self.service.threads)
        return await anyio.to_thread.run_sync(work, limiter=self.limiter)


@dataclass(slots=True, kw_only=True)
class _Door:
    """The state that requests share."""

    wires: Mapping[str, Wire]
    by_path: Mapping[str, Wire]
    """Of the services that have paths."""
    access: Access
    body_timeout_s: float
    replays: Replays
    signed: Mapping[str, _Places]
    unsigned: Mapping[str, _Places]
    """Of their own, so that strangers take none from those who have a key."""
    lookups: anyio.CapacityLimiter | None = None

    def spoken(self, request: SignedRequest) -> Wire | None:
        """The service whose protocol the caller speaks, for errors before more is known."""
        claimed = self.wires.get(claimed_service(request))
        if claimed:
            return claimed
        prefix = (header(request, "x-amz-target") or "").rpartition(".")[0]
        for wire in self.wires.values():
            metadata = wire.service.model.metadata
            if prefix and metadata.get("targetPrefix") == prefix:
                return wire
            if metadata["protocol"] == "query" and not prefix and is_form(request):
                return wire
        return self.by_path.get(request.path)

    async def answer(self, request: SignedRequest, receive: ASGIReceive, call: _Call) -> Answer:
        """The answer to one request.

        Raises:
            SignatureRefused, AwsError: the answer is an error.
            CallerGone: nobody waits for the answer.
        """
        if not is_signed(request):
            return await self._unsigned(request, receive, call)
        limit = max(w.service.max_body_bytes for w in self.wires.values())
        try:
            name = await self._claimed(request)
            places, limit = self.signed[name], self.wires[name].service.max_body_bytes
            places.check()
        except Exception:
            await read_body(receive, limit, self.body_timeout_s, keep=False)
            raise
        with places.one():
            body, digest = await read_body(receive, limit, self.body_timeout_s)
            whole = replace(request, body_sha256=digest)
            return await places.run(functools.partial(self._authenticated, whole, body, call))

    async def _claimed(self, request: SignedRequest) -> str:
        """The service that the request claims to be signed for, with a key of ours."""
        if self.lookups is None:
            self.lookups = anyio.CapacityLimiter(LOOKUPS)
        look = functools.partial(check_head, request, secret_of=self.access.secret_of)
        scope = await anyio.to_thread.run_sync(look, limiter=self.lookups)
        if scope.service not in self.wires:
            raise SignatureRefused(
                "InvalidSignatureException",
                f"Credential should be scoped to a service served here, not '{scope.service}'.",
            )
        return scope.service

    async def _unsigned(self, request: SignedRequest, receive: ASGIReceive, call: _Call) -> Answer:
        missing = SignatureRefused(
            "MissingAuthenticationTokenException", "Missing Authentication Token"
        )
        open_wires = [w for w in self.wires.values() if w.service.unsigned]
        if request.method != "POST" or not is_form(request) or not open_wires:
            limit = max(w.service.max_body_bytes for w in self.wires.values())
            await read_body(receive, limit, self.body_timeout_s, keep=False)
            raise missing
        body, _ = await read_body(receive, UNSIGNED_BODY_BYTES, self.body_timeout_s)
        found = _open_operation(open_wires, request, body or b"")
        if found is None:
            raise missing
        wire, name = call.wire, call.operation = found
        places = self.unsigned[wire.service.signing_name]
        caller = Caller("", request_id=call.request_id, source_ip=call.source_ip)

        def work() -> Answer:
            return _perform(wire, name, caller, _params(wire, name, request, body or b""), call)

        with places.one():
            return await places.run(work)

    def _authenticated(self, request: SignedRequest, body: bytes | None, call: _Call) -> Answer:
        """Verify and perform one call; in a thread, as everything takes time."""
        signed = verify(
            request,
            secret_of=self.access.secret_of,
            now=self.access.now(),
            services=self.wires,
            region=self.access.region,
        )
        caller = replace(signed.caller, request_id=call.request_id, source_ip=call.source_ip)
        call.access_key = caller.access_key
        wire = call.wire = self.wires[signed.scope.service]
        service = wire.service
        if body is None:
            raise AwsError(
                service.too_large_code,
                f"The request is larger than {service.max_body_bytes} bytes.",
            )
        call.operation = name = wire.operation(request, body)
        params = _params(wire, name, request, body)
        if service.gate:
            service.gate(caller, name, params)
        work = functools.partial(_perform, wire, name, caller, params, call)
        if name in service.reads:
            return work()
        try:
            return self.replays.once(
                signed,
                now=self.access.now(),
                work=work,
                invocation=header(request, "amz-sdk-invocation-id"),
            )
        except RunsAgainLater as later:
            raise throttled(service, str(later)) from later


def _open_operation(
    wires: Sequence[Wire], request: SignedRequest, body: bytes
) -> tuple[Wire, str] | None:
    """The operation that is asked for, where it is one that needs no signature."""
    for wire in wires:
        with suppress(AwsError):
            name = wire.operation(request, body)
            if name in wire.service.unsigned:
                return wire, name
    return None


def _params(wire: Wire, name: str, request: SignedRequest, body: bytes) -> Mapping[str, Any]:
    try:
        return wire.params(name, request, body)
    except Misfit as misfit:
        raise AwsError(
            wire.service.invalid_input_code, f"Request has invalid parameters: {misfit}"
        ) from None


def _perform(
    wire: Wire, name: str, caller: Caller, params: Mapping[str, Any], call: _Call
) -> Answer:
    """Run and serialise. An error that an operation raises is an answer like any other."""
    try:
        result = wire.service.operations[name](caller, params)
    except AwsError as error:
        return wire.refusal(error, call.request_id)
    return wire.answer(name, result, call.request_id)


def _source_ip(scope: ASGIScope) -> str:
    """The peer's address. Headers that name another are anybody's to write, and not looked at."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _as_received(scope: ASGIScope) -> SignedRequest:
    return SignedRequest(
        method=scope["method"],
        path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=[(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]],
        body_sha256="",
    )


async def _send(send: ASGISend, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-amzn-requestid", answer.request_id.encode()),
    ]
    if answer.code:
        headers.append((b"x-amzn-errortype", answer.code.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
