"""What the processes say: structured logs on stderr, and traces where an endpoint is set.

Neither ever holds a secret: values under telling names are hidden, and so is every secret of the
installation wherever it appears in a line, tracebacks included. Names of objects are no secret.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Literal, TextIO

import structlog

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

HIDDEN = "[hidden]"
_TELLING = ("secret", "password", "passwd", "token", "authorization", "signature", "private_key")
_CHATTY = ("botocore", "boto3", "urllib3", "nats", "PIL", "alembic", "opentelemetry", "asyncio")
_FIRST_FIELDS = ("timestamp", "level", "component", "event")

# --- logs ------------------------------------------------------------------------------------


def configure_logging(
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["text", "json"] = "text",
    hide: Collection[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send every log line of this process to `stream` (stderr), ours and the libraries' alike.

    `hide` are this installation's secrets: wherever one appears in a line, it is replaced.
    """
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _trace_id,
        _hide_telling,
    ]
    # structlog's own console renderer would show the variables of every frame of a traceback.
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*before, _component],
        processors=[
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _Hiding(_as_json if form == "json" else _as_text, hide),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _component(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    record = event.get("_record")
    if record is not None:
        event.setdefault("component", record.name)
    return event


def _trace_id(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    # Only where traces are on has anybody imported it.
    trace = sys.modules.get("opentelemetry.trace")
    if trace is not None:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = f"{context.trace_id:032x}"
    return event


def _hide_telling(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name in event:
        if any(word in name.lower() for word in _TELLING):
            event[name] = HIDDEN
    return event


class _Hiding:
    """A renderer whose lines hold no secret."""

    def __init__(
        self, render: Callable[[Mapping[str, Any]], str], secrets: Collection[str]
    ) -> None:
        self._render = render
        # Longest first: one may be part of another. Short ones would hide half of the log.
        self._secrets = sorted({s for s in secrets if len(s) >= 8}, key=len, reverse=True)  # noqa: PLR2004 - explained

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
        line = self._render(event)
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return line


def _as_json(event: Mapping[str, Any]) -> str:
    first = {name: event[name] for name in _FIRST_FIELDS if name in event}
    line = json.dumps({**first, **event}, default=str, ensure_ascii=False)
    if line.isprintable():
        return line
    # JSON allows what some readers of lines take for their end (U+0085, U+2028) as it stands.
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def _as_text(event: Mapping[str, Any]) -> str:
    """`2026-01-31T23:59:59Z info aws: call operation=DetectFaces status=200`."""
    stamp = str(event["timestamp"])[:19] + "Z"
    component = f"{event['component']}: " if event.get("component") else ""
    fields = "".join(
        f" {name}={_field(value)}"
        for name, value in event.items()
        if name not in {*_FIRST_FIELDS, "exception"} and value is not None
    )
    line = f"{stamp} {event['level']:<7} {component}{_printable(str(event['event']))}{fields}"
    return f"{line}\n{event['exception']}" if event.get("exception") else line


def _field(value: object) -> str:
    text = _printable(str(value))
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text


def _printable(text: str) -> str:
    # An object's key may hold line ends and escape sequences: no line may be forged.
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


# --- traces ----------------------------------------------------------------------------------


class Traces:
    """Spans around what happens; without a tracer every method does nothing."""

    def __init__(
        self, tracer: Tracer | None = None, provider: TracerProvider | None = None
    ) -> None:
        self._tracer = tracer
        self._provider = provider

    @property
    def on(self) -> bool:
        """Whether spans go anywhere."""
        return self._tracer is not None

    def span(
        self, name: str, parent: Mapping[str, str] | None = None, **attributes: str | float | bool
    ) -> AbstractContextManager[None]:
        """A span around a `with` block; an exception that leaves it is recorded.

        `parent` is what `carrier` gave in another process, or HTTP headers; without it the span
        belongs to the one around it.
        """
        return self._span(name, parent, attributes)

    def carrier(self) -> dict[str, str]:
        """The current trace as `traceparent`, to hand on with a message or a request."""
        if self._tracer is None:
            return {}
        from opentelemetry.propagate import inject  # noqa: PLC0415 - only where traces are on

        carrier: dict[str, str] = {}
        inject(carrier)
        return carrier

    def close(self) -> None:
        """Send what is left; waits a few seconds at most."""
        if self._provider is not None:
            self._provider.force_flush(3000)
            self._provider.shutdown()

    @contextmanager
    def _span(
        self, name: str, parent: Mapping[str, str] | None, attributes: Mapping[str, Any]
    ) -> Iterator[None]:
        if self._tracer is None:
            yield
            return
        from opentelemetry.propagate import extract  # noqa: PLC0415 - only where traces are on

        context = extract(parent) if parent else None
        with self._tracer.start_as_current_span(name, context=context, attributes=attributes):
            yield


def open_traces(endpoint: str, *, service: str, version: str, environ: Mapping[str, str]) -> Traces:
    """Traces to an OpenTelemetry collector over HTTP, or to nowhere without an endpoint.

    `endpoint` is the collector's base URL, such as http://127.0.0.1:4318; empty takes
    OTEL_EXPORTER_OTLP_ENDPOINT out of `environ`. Without either nothing is imported.
    """
    base = endpoint or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if not base:
        return Traces()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - a third of a second
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(
        resource=Resource.create({"service.name": service, "service.version": version}),
        # Their own atexit hook would wait for an absent collector.
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=f"{base.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    return Traces(provider.get_tracer("lakeveil", version), provider)
