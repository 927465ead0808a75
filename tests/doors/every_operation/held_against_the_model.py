"""An answer held against the service's model, by none of the code that wrote it.

It walks botocore's shapes on its own: required members are there, unknown ones are not; types,
vocabularies, lengths, ranges, patterns; how times are written. Errors are those of the operation or
of every operation, under their status, and named in the header, too.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from botocore.model import OperationModel, Shape

from tests.doors.every_operation.clients import Answer

COMMON = frozenset(
    {
        "AccessDeniedException",
        "InternalFailure",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "ThrottlingException",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "ValidationException",
        # STS, by the query protocol's names.
        "AccessDenied",
        "InvalidClientTokenId",
        "ValidationError",
    }
)
"""Errors that every action has and no model lists ("Common errors" of each API reference)."""

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_BOUNDS = {"integer": 2**31, "long": 2**63}


def misfits(answer: Answer, operation: OperationModel) -> list[str]:
    """What is wrong with an answer, one line each."""
    return list(_errors(answer, operation) if answer.code else _result(answer, operation))


def _result(answer: Answer, operation: OperationModel) -> Iterator[str]:
    raw, shape = answer.raw, operation.output_shape
    if raw.status != operation.http.get("responseCode", 200):
        yield f"status {raw.status}"
    yield from _head(answer, operation)
    if operation.metadata["protocol"] == "query":
        yield from _xml_result(raw.body, operation)
        return
    document = json.loads(raw.body)
    if shape is None:
        if document != {}:
            yield "an answer where the model has none"
        return
    yield from _value(document, shape, operation.name, xml=False)


def _errors(answer: Answer, operation: OperationModel) -> Iterator[str]:
    raw, code = answer.raw, answer.code
    modelled = {shape.error_code: shape for shape in operation.error_shapes}
    modelled |= {shape.name: shape for shape in operation.error_shapes}
    shape = modelled.get(code)
    if shape is None and code not in COMMON:
        yield f"{code} is no error of {operation.name}"
    if raw.headers.get("x-amzn-errortype") != code:
        yield f"x-amzn-errortype is {raw.headers.get('x-amzn-errortype')}, not {code}"
    if shape is not None:
        expected = shape.metadata.get("error", {}).get("httpStatusCode", 400)
        if raw.status != expected:
            yield f"{code} has status {raw.status}, in the model {expected}"
    elif not 400 <= raw.status < 500:
        yield f"{code} has status {raw.status}"
    if not answer.message:
        yield f"{code} has no message"
    yield from _head(answer, operation)
    if operation.metadata["protocol"] == "query":
        return
    document = json.loads(raw.body)
    if document.pop("__type", None) != code:
        yield f"__type is not {code}"
    if shape is None or operation.service_model.service_name == "rekognition":
        return
    yield from _value(document, shape, code, xml=False)


def _head(answer: Answer, operation: OperationModel) -> Iterator[str]:
    kind = answer.raw.headers.get("content-type")
    version = operation.metadata.get("jsonVersion")
    expected = {
        "json": f"application/x-amz-json-{version}",
        "rest-json": "application/json",
        "query": "text/xml",
    }[operation.metadata["protocol"]]
    if kind != expected:
        yield f"content-type {kind}"
    if not answer.raw.headers.get("x-amzn-requestid"):
        yield "no request id"


def _xml_result(body: bytes, operation: OperationModel) -> Iterator[str]:
    root = ET.fromstring(body)
    space = f"{{{operation.metadata['xmlNamespace']}}}"
    if root.tag != f"{space}{operation.name}Response":
        yield f"the root is {root.tag}"
    parts = {child.tag.removeprefix(space): child for child in root}
    wrapper = operation.output_shape.serialization["resultWrapper"]
    if set(parts) != {wrapper, "ResponseMetadata"}:
        yield f"the parts are {sorted(parts)}"
        return
    document = _of_xml(parts[wrapper], operation.output_shape, space)
    yield from _value(document, operation.output_shape, operation.name, xml=True)


def _of_xml(element: ET.Element, shape: Shape | None, space: str) -> Any:
    """An element as JSON would say it; what the shape does not know stays a text."""
    kind = shape.type_name if shape is not None else ""
    if kind == "structure" or (shape is None and len(element)):
        members: Mapping[str, Shape] = shape.members if shape is not None else {}
        return {
            child.tag.removeprefix(space): _of_xml(
                child, members.get(child.tag.removeprefix(space)), space
            )
            for child in element
        }
    text = element.text or ""
    if shape is not None and kind == "list":
        return [_of_xml(child, shape.member, space) for child in element]
    if kind in {"integer", "long"}:
        return int(text) if re.fullmatch(r"-?\d+", text) else text
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _value(value: Any, shape: Shape, path: str, *, xml: bool) -> Iterator[str]:
    """What is wrong with one value, and with everything in it."""
    kind = shape.type_name
    right = isinstance(value, _TYPES.get(kind, str))
    if not right or (isinstance(value, bool) and kind != "boolean"):
        yield f"{path} is {type(value).__name__}, in the model {kind}"
    elif kind == "structure":
        yield from _structure(value, shape, path, xml=xml)
    elif kind == "list":
        yield from _size(len(value), shape, path)
        for number, item in enumerate(value):
            yield from _value(item, shape.member, f"{path}[{number}]", xml=xml)
    elif kind == "map":
        yield from _size(len(value), shape, path)
        for key, item in value.items():
            yield from _value(key, shape.key, f"{path} key", xml=xml)
            yield from _value(item, shape.value, f"{path}.{key}", xml=xml)
    elif kind == "timestamp":
        yield from _time(value, shape, path, xml=xml)
    else:
        yield from _scalar(value, shape, path)


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "structure": dict,
    "list": list,
    "map": dict,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
}


def _scalar(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if shape.type_name == "blob":
        base64.b64decode(value, validate=True)
    elif isinstance(value, str):
        yield from _text(value, shape, path)
    elif not isinstance(value, bool):
        if not math.isfinite(value) or abs(value) > _BOUNDS.get(shape.type_name, math.inf):
            yield f"{path} is {value}"
        yield from _size(value, shape, path)


def _structure(value: Mapping[str, Any], shape: Shape, path: str, *, xml: bool) -> Iterator[str]:
    if shape.metadata.get("document"):
        return
    for name in shape.required_members:
        if name not in value:
            yield f"{path}.{name} is missing"
    if shape.metadata.get("union") and len(value) != 1:
        yield f"{path} has {len(value)} members of a union"
    for name, item in value.items():
        if name not in shape.members:
            yield f"{path}.{name} is not in the model"
        else:
            yield from _value(item, shape.members[name], f"{path}.{name}", xml=xml)


def _time(value: Any, shape: Shape, path: str, *, xml: bool) -> Iterator[str]:
    usual = "iso8601" if xml else "unixTimestamp"
    form = shape.serialization.get("timestampFormat", usual)
    if form == "iso8601":
        if not isinstance(value, str) or not _ISO.fullmatch(value):
            yield f"{path} is no time as text: {value}"
    elif isinstance(value, str) or not 1_500_000_000 < value < 5_000_000_000:
        yield f"{path} is no time in seconds: {value}"


def _text(value: str, shape: Shape, path: str) -> Iterator[str]:
    yield from _size(len(value), shape, path)
    rules = shape.metadata
    if rules.get("enum") and value not in rules["enum"]:
        yield f"{path} is `{value}`, none of {rules['enum']}"
    pattern = rules.get("pattern")
    if pattern and not re.search(_python(pattern), value):
        yield f"{path} is `{value}`, which does not match {pattern}"


def _python(pattern: str) -> str:
    """A pattern of Java's as Python reads it. As in AWS the whole text must match."""
    told = _IN_PYTHON.get(pattern, pattern)
    if told == pattern and re.search(r"\\[pPuX]|&&", pattern):
        raise AssertionError(f"add to _IN_PYTHON how Python writes {pattern}")
    return rf"\A(?:{told})\Z"


_LETTERS = r"[\w\s.:\/=+\-@%]*"
_IN_PYTHON: Mapping[str, str] = {
    r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*": r"[^\x00-\x08\n-\x1f]*",
    r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*": (
        r"[^\x00-\x08\x0b\x0c\x0e-\x1f]*"
    ),
    r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+": (
        r"[\t\n\r -~\x85\xa0-\uffff]+"
    ),
    r"^([\p{L}\p{Z}\p{N}_.:\/=+\-@%]*)$": _LETTERS,
    r"^([\p{L}\p{Z}\p{N}_.:\*\/=+\-@%]*)$": _LETTERS.replace("@", "@*"),
}
"""Those of Java's patterns that Python reads otherwise, or not at all."""


def _size(size: float, shape: Shape, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"{path} is {size}, at least {least} in the model"
    if most is not None and size > most:
        yield f"{path} is {size}, at most {most} in the model"
