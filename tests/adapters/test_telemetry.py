"""Logs that hold no secret, and traces that arrive where they are sent."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from lakeveil.adapters.telemetry import HIDDEN, Traces, configure_logging, open_traces
from tests.adapters.collector import collecting

SECRET = "xJ9-a_secret_of_this_installation"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(
    form: Any = "json", level: Any = "info", hide: tuple[str, ...] = (SECRET,)
) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(level=level, form=form, hide=hide, stream=stream)
    return stream


# --- logs ------------------------------------------------------------------------------------


def test_json_lines_carry_every_field() -> None:
    stream = lines()
    structlog.get_logger(component="worker").info("released", key="a b.jpg", faces=3)

    event = json.loads(stream.getvalue())
    assert list(event)[:4] == ["timestamp", "level", "component", "event"]
    assert event["event"] == "released"
    assert (event["component"], event["level"]) == ("worker", "info")
    assert (event["key"], event["faces"]) == ("a b.jpg", 3)
    assert event["timestamp"].endswith("Z")


def test_text_lines_are_for_people() -> None:
    stream = lines("text")
    structlog.get_logger(component="worker").info("released", key="a b.jpg", faces=3, why=None)

    line = stream.getvalue()
    assert line.rstrip().endswith('info    worker: released key="a b.jpg" faces=3')


def test_libraries_write_into_the_same_log_in_the_same_form() -> None:
    stream = lines()
    logging.getLogger("some.library").warning("%s went away", "the server")

    event = json.loads(stream.getvalue())
    assert (event["event"], event["component"]) == ("the server went away", "some.library")


def test_lines_below_the_level_are_not_written() -> None:
    stream = lines(level="warning")
    structlog.get_logger().info("too quiet")
    logging.getLogger("some.library").info("too quiet")

    assert stream.getvalue() == ""


@pytest.mark.parametrize("name", ["secret_access_key", "password", "nats_token", "Authorization"])
def test_values_under_telling_names_are_hidden(name: str) -> None:
    stream = lines(hide=())
    structlog.get_logger().info("made", **{name: "abcdefghij"})

    assert json.loads(stream.getvalue())[name] == HIDDEN


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_secret_of_ours_is_hidden_wherever_it_stands(form: str) -> None:
    stream = lines(form)
    log = structlog.get_logger()
    log.info("connecting", url=f"nats://{SECRET}@x", more=[SECRET])
    logging.getLogger("library").error("refused %s", SECRET)
    try:
        _fail_with(SECRET)
    except RuntimeError:
        log.exception("failed")

    assert SECRET not in stream.getvalue()
    assert "RuntimeError: cannot use [hidden]" in stream.getvalue()


def _fail_with(what: str) -> None:
    raise RuntimeError(f"cannot use {what}")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_variables(form: str) -> None:
    def fails(credential: str) -> None:
        raise RuntimeError(f"{len(credential)} characters")

    stream = lines(form, hide=())
    try:
        fails("not-known-as-a-secret")
    except RuntimeError:
        structlog.get_logger().exception("failed")

    assert "21 characters" in stream.getvalue()
    assert stream.getvalue().count("not-known-as-a-secret") <= 1  # the line of code itself


@example(key="\x85\u2028", form="json")
@example(key="\x85\u2028", form="text")
@given(key=st.text(max_size=40), form=st.sampled_from(["json", "text"]))
def test_no_objects_name_can_forge_a_line(key: str, form: str) -> None:
    stream = lines(form)
    structlog.get_logger().info("released", key=key)

    line = stream.getvalue()
    assert line.endswith("\n")
    assert len(line[:-1].splitlines()) == 1
    if form == "text":
        assert line[:-1].isprintable()


def test_an_event_with_line_ends_stays_one_line() -> None:
    stream = lines("text")
    logging.getLogger("library").warning("one\n2026-01-01T00:00:00Z error forged: two\x1b[31m")

    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


# --- traces ----------------------------------------------------------------------------------


def traces_to(endpoint: str, **environ: str) -> Traces:
    return open_traces(endpoint, service="lakeveil-test", version="1", environ=environ)


def test_spans_arrive_at_the_collector_with_their_attributes() -> None:
    with collecting() as collector:
        traces = traces_to(collector.url)
        with traces.span("photo", key="a b.jpg", faces=2), traces.span("detect"):
            pass
        traces.close()

    assert set(collector.paths) == {"/v1/traces"}
    photo, detect = collector.spans["photo"], collector.spans["detect"]
    assert detect.parent_span_id == photo.span_id
    assert detect.trace_id == photo.trace_id
    attributes = {a.key: a.value for a in photo.attributes}
    assert attributes["key"].string_value == "a b.jpg"
    assert attributes["faces"].int_value == 2
    (resource, *_) = collector.received[0].resource_spans
    named = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert (named["service.name"], named["service.version"]) == ("lakeveil-test", "1")


def test_the_environment_names_the_collector_too() -> None:
    with collecting() as collector:
        traces = traces_to("", OTEL_EXPORTER_OTLP_ENDPOINT=f"{collector.url}/")
        with traces.span("photo"):
            pass
        traces.close()

    assert "photo" in collector.spans


def test_a_trace_goes_on_in_another_process() -> None:
    with collecting() as collector:
        sender, receiver = traces_to(collector.url), traces_to(collector.url)
        with sender.span("put"):
            carrier = sender.carrier()
        with receiver.span("work", carrier):
            pass
        sender.close()
        receiver.close()

    assert list(carrier) == ["traceparent"]
    put, work = collector.spans["put"], collector.spans["work"]
    assert (work.trace_id, work.parent_span_id) == (put.trace_id, put.span_id)


def test_an_error_that_leaves_a_span_is_recorded() -> None:
    with collecting() as collector:
        traces = traces_to(collector.url)
        with pytest.raises(ValueError, match="damaged"), traces.span("photo"):
            raise ValueError("damaged")
        traces.close()

    span = collector.spans["photo"]
    assert span.status.code == 2
    assert span.events[0].name == "exception"


def test_a_log_line_names_its_trace() -> None:
    with collecting() as collector:
        traces = traces_to(collector.url)
        stream = lines()
        with traces.span("photo"):
            structlog.get_logger().info("released")
        structlog.get_logger().info("outside")
        traces.close()

    inside, outside = map(json.loads, stream.getvalue().splitlines())
    assert inside["trace_id"] == collector.spans["photo"].trace_id.hex()
    assert "trace_id" not in outside


def test_a_collector_that_is_away_disturbs_nothing() -> None:
    stream = lines()
    traces = traces_to("http://127.0.0.1:9")
    with traces.span("photo"):
        pass
    traces.close()

    for line in stream.getvalue().splitlines():
        assert json.loads(line)["level"] in {"warning", "error"}


def test_without_an_endpoint_spans_do_nothing_and_nothing_is_imported() -> None:
    program = """\
import sys
from lakeveil.adapters.telemetry import configure_logging, open_traces
configure_logging()
traces = open_traces("", service="s", version="1", environ={})
with traces.span("photo", {"traceparent": "00-1-1-01"}, key="a"):
    assert traces.carrier() == {}
assert not traces.on
traces.close()
sys.exit(any(name.startswith("opentelemetry") for name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], env=dict(os.environ), check=False)

    assert done.returncode == 0
