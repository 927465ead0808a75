"""The layer under every AWS door: authenticate, parse, dispatch to a function, serialise.

botocore's own service models say what an operation looks like, so a door is one function per
operation and nothing else. Requests and answers follow the AWS JSON 1.1 protocol.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import anyio
import anyio.to_thread
import structlog
from botocore.loaders import Loader
from botocore.model import ServiceModel

from lakeveil.aws.shapes import Misfit, from_wire, to_wire
from lakeveil.aws.sigv4 import Caller, SignatureRefused, SignedRequest, check_head, verify

ASGIScope = MutableMapping[str, Any]
ASGIReceive = Callable[[], Awaitable[MutableMapping[str, Any]]]
ASGISend = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[ASGIScope, ASGIReceive, ASGISend], Awaitable[None]]

log = structlog.get_logger(component="aws")


class AwsError(Exception):
    """An answer that is an error. `code` is the AWS error code, `message` is for the caller."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


Operation = Callable[[Caller, Mapping[str, Any]], Mapping[str, Any]]
"""One operation: the caller and checked parameters in, the result's members out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One AWS service as far as it is served here.

    `operations` are those we implement, by their names in the model. `invalid_input_code` is
    the error code for parameters that do not fit the model, `too_large_code` the one for a body
    of more than `max_body_bytes`, `throttling_status` the HTTP status of ThrottlingException.
    """

    model: ServiceModel
    operations: Mapping[str, Operation]
    max_body_bytes: int
    invalid_input_code: str = "ValidationException"
    too_large_code: str = "RequestEntityTooLargeException"
    throttling_status: int = 400

    def __post_init__(self) -> None:
        unknown = set(self.operations) - set(self.model.operation_names)
        if unknown:
            raise ValueError(f"not in the model of {self.signing_name}: {sorted(unknown)}")

    @property
    def signing_name(self) -> str:
        """The service in a signature's scope."""
        return str(self.model.signing_name)


class Observer(Protocol):
    """Told of every answered call; where metrics come from."""

    def __call__(self, *, operation: str, code: str, seconds: float) -> None:
        """`code` is empty where the call succeeded; `operation` is `-` where it is unknown."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may call: the secret of each access key, the region we answer for, our clock.

    `region` None answers for every region, so that code keeps the region it has.
    """

    secret_of: Callable[[str], str | None]
    region: str | None = None
    now: Callable[[], float] = time.time


@functools.cache
def load_model(name: str) -> ServiceModel:
    """A service's model out of botocore's bundled data."""
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def json_door(
    services: tuple[Service, ...],
    access: Access,
    *,
    observe: Observer | None = None,
    threads: int = 4,
    waiting: int = 12,
    body_timeout_s: float = 30.0,
) -> ASGIApp:
    """An ASGI app that answers AWS JSON 1.1 requests for `services`, whatever their path.

    Operations are plain functions and run in threads, at most `threads` at once; `waiting` more
    requests may be on their way, and beyond that callers get ThrottlingException at once, which
    every SDK answers by trying again later. Only requests that name a key of ours have their
    body kept, so memory is bounded too. A body that has not arrived after `body_timeout_s` is
    given up.
    """
    door = _Door(
        by_name={s.signing_name: s for s in services},
        access=access,
        threads=threads,
        places=threads + waiting,
        body_timeout_s=body_timeout_s,
    )

    async def app(scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        call = _Call()
        try:
            answer = await door.answer(scope, receive, call)
            await _send(send, call, 200, answer)
        except SignatureRefused as refused:
            await _send_error(send, call, AwsError(refused.code, refused.message))
        except AwsError as error:
            await _send_error(send, call, error)
        except _CallerGone:
            call.code = "-"
            log.info("the caller went away", request_id=call.request_id)
        except Exception:
            # Whatever it was, the caller gets an error: never an empty result, never details.
            log.exception("call failed", operation=call.operation, request_id=call.request_id)
            await _send_error(send, call, internal_error())
        if observe:
            observe(operation=call.operation, code=call.code, seconds=call.seconds)

    return app


def internal_error() -> AwsError:
    """The answer where we, not the caller, are at fault."""
    return AwsError(
        "InternalServerError",
        "The request could not be processed. Try your call again.",
        status=500,
    )


@dataclass(slots=True)
class _Call:
    """One request on its way through the door; filled in as more becomes known."""

    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    operation: str = "-"
    access_key: str = ""
    code: str = ""
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Since the request's head arrived."""
        return time.perf_counter() - self.started


class _CallerGone(Exception):
    """The connection closed before the request was whole."""


@dataclass(slots=True, kw_only=True)
class _Door:
    """The state that requests share: how many places are taken, and the threads."""

    by_name: Mapping[str, Service]
    access: Access
    threads: int
    places: int
    body_timeout_s: float
    taken: int = 0
    limiter: anyio.CapacityLimiter | None = None
    """Made in the event loop, with the first request."""

    async def answer(self, scope: ASGIScope, receive: ASGIReceive, call: _Call) -> bytes:
        """The body of the answer to one request.

        Raises:
            SignatureRefused, AwsError: the answer is an error.
            _CallerGone: nobody waits for the answer.
        """
        head = _signed_request(scope, "")
        largest = max(s.max_body_bytes for s in self.by_name.values())
        try:
            check_head(head, secret_of=self.access.secret_of)
            if self.taken >= self.places:
                raise self._throttled(head)
        except (SignatureRefused, AwsError):
            await _read_body(receive, largest, self.body_timeout_s, keep=False)
            raise
        self.taken += 1
        try:
            body, digest = await _read_body(receive, largest, self.body_timeout_s)
            if self.limiter is None:
                self.limiter = anyio.CapacityLimiter(self.threads)
            work = functools.partial(
                self._authenticated, replace(head, body_sha256=digest), body, call
            )
            return await anyio.to_thread.run_sync(work, limiter=self.limiter)
        finally:
            self.taken -= 1

    def _authenticated(self, request: SignedRequest, body: bytes | None, call: _Call) -> bytes:
        caller, signed = verify(
            request,
            secret_of=self.access.secret_of,
            now=self.access.now(),
            services=self.by_name,
            region=self.access.region,
        )
        call.access_key = caller.access_key
        return _perform(self.by_name[signed.service], caller, request, body, call)

    def _throttled(self, head: SignedRequest) -> AwsError:
        prefix = _target(head)[0]
        asked = [s for s in self.by_name.values() if s.model.metadata["targetPrefix"] == prefix]
        return AwsError(
            "ThrottlingException",
            "The service is temporarily unable to process the request. Try your call again.",
            status=asked[0].throttling_status if asked else 400,
        )


async def _read_body(
    receive: ASGIReceive, limit_bytes: int, timeout_s: float, *, keep: bool = True
) -> tuple[bytes | None, str]:
    """The body and its SHA-256; None in place of a body beyond `limit_bytes`, or not to `keep`.

    A body that is too large is still hashed, up to four times the limit, so that a caller who
    signed it gets the service's own error; and one that is refused anyway is still taken in,
    since a client that is cut off while it sends never reads why.
    """
    digest, chunks, size = hashlib.sha256(), list[bytes](), 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _CallerGone
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size > 4 * limit_bytes:
                    raise AwsError(
                        "RequestEntityTooLargeException",
                        f"The request is larger than {limit_bytes} bytes.",
                        status=413,
                    )
                if keep:
                    digest.update(chunk)
                    chunks.append(chunk)
                if size > limit_bytes:
                    chunks.clear()
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise AwsError(
            "RequestTimeoutException", "The request's body did not arrive in time.", status=408
        ) from None
    kept = keep and size <= limit_bytes
    return (b"".join(chunks) if kept else None), digest.hexdigest()


def _signed_request(scope: ASGIScope, body_sha256: str) -> SignedRequest:
    return SignedRequest(
        method=scope["method"],
        path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=[(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]],
        body_sha256=body_sha256,
    )


def _perform(
    service: Service, caller: Caller, request: SignedRequest, body: bytes | None, call: _Call
) -> bytes:
    """Parse, run and serialise one authenticated call; in a thread, as all three take time."""
    prefix, name = _target(request)
    if prefix != service.model.metadata["targetPrefix"] or name not in service.operations:
        ours = prefix == service.model.metadata["targetPrefix"]
        known = ours and name in service.model.operation_names
        raise AwsError(
            "UnknownOperationException",
            f"The operation {name} is not served here." if known else "Unknown operation.",
        )
    call.operation = name
    if body is None or len(body) > service.max_body_bytes:
        raise AwsError(
            service.too_large_code, f"The request is larger than {service.max_body_bytes} bytes."
        )
    model = service.model.operation_model(name)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise AwsError("SerializationException", "The request is not valid JSON.") from None
    try:
        params = from_wire(document, model.input_shape) if model.input_shape else {}
    except Misfit as misfit:
        raise AwsError(
            service.invalid_input_code, f"Request has invalid parameters: {misfit}"
        ) from None
    result = service.operations[name](caller, params)
    answer = to_wire(result, model.output_shape) if model.output_shape else {}
    return json.dumps(answer, allow_nan=False).encode()


def _target(request: SignedRequest) -> tuple[str, str]:
    """The service's prefix and the operation's name; empty where none or several are given."""
    targets = [v for n, v in request.headers if n.lower() == "x-amz-target"]
    prefix, _, name = (targets[0] if len(targets) == 1 else "").rpartition(".")
    return prefix, name


async def _send_error(send: ASGISend, call: _Call, error: AwsError) -> None:
    call.code = error.code
    # Every SDK finds the code in `__type` or the header; the rest is as Rekognition writes it.
    document = {
        "__type": error.code,
        "Code": error.code,
        "Message": error.message,
        "Logref": call.request_id,
    }
    await _send(send, call, error.status, json.dumps(document).encode())


async def _send(send: ASGISend, call: _Call, status: int, body: bytes) -> None:
    log.info(
        "call",
        operation=call.operation,
        status=status,
        code=call.code,
        access_key=call.access_key,
        request_id=call.request_id,
        ms=round(call.seconds * 1000, 1),
    )
    headers = [
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-requestid", call.request_id.encode()),
    ]
    if call.code:
        headers.append((b"x-amzn-errortype", call.code.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
