"""The AWS query protocol: a form in, XML out.

STS. Parameters are `Action`, `Version` and flattened members (`PolicyArns.member.1.arn=...`), in a
form's body or in the query of a GET. The protocol is in Smithy's specification, "AWS query
protocol"; of its variants only what STS's model uses is served.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from lakeveil.aws.forms import Form, FormReader
from lakeveil.aws.protocol import AwsError, Service
from lakeveil.aws.shapes import MAX_DEPTH, Misfit, from_wire, iso8601, to_wire
from lakeveil.aws.sigv4 import SignatureRefused, SignedRequest
from lakeveil.aws.wire import (
    Answer,
    ModelledErrors,
    check_served,
    from_text,
    header,
    operation_forms,
)

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 2000

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INDEX = re.compile(r"[1-9][0-9]{0,3}")
_REFUSALS = {
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
}
"""What the query services call the refusals of a signature ("Common errors")."""

_Tree = dict[str, Any]
"""The names of parameters, split at their dots: text at the leaves."""


class QueryXml:
    """A service whose protocol is `query`."""

    def __init__(self, service: Service) -> None:
        """Raises `Unserved` or `UnknownSyntax` where an operation's model is beyond us."""
        reader = FormReader()
        self.service = service
        self._forms = operation_forms(service, reader)
        self._errors = ModelledErrors(service, reader)
        self._version = service.model.metadata["apiVersion"]
        self._namespace = service.model.metadata["xmlNamespace"]

    def operation(self, request: SignedRequest, body: bytes) -> str:
        """By `Action`; the version must be the model's."""
        fields = dict(_fields(request, body))
        ours = request.path == "/" and fields.get("Version") == self._version
        return check_served(self.service, fields.get("Action", ""), known=ours)

    def params(self, name: str, request: SignedRequest, body: bytes) -> dict[str, Any]:
        """Out of the form, members put back where they belong."""
        fields = [f for f in _fields(request, body) if f[0] not in {"Action", "Version"}]
        form = self._forms[name].input
        params: dict[str, Any] = from_wire(_unflattened(_tree(fields), form), form)
        return params

    def answer(self, name: str, result: Mapping[str, Any], request_id: str) -> Answer:
        """The result in its wrapper, and the request's id after it."""
        forms = self._forms[name]
        inner = "".join(_elements(to_wire(result, forms.output), forms.output))
        if forms.wrapper:
            inner = f"<{forms.wrapper}>{inner}</{forms.wrapper}>"
        metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        return self._xml(200, f"{name}Response", inner + metadata, request_id)

    def refusal(self, error: AwsError, request_id: str) -> Answer:
        """Who is at fault, the code, the message, and further members of the error's shape."""
        written = self._errors.write(error)
        parts = {
            "Type": "Sender" if written.status < 500 else "Receiver",  # noqa: PLR2004 - HTTP's server errors
            "Code": written.code,
            "Message": _NO_XML.sub("?", error.message),
            **written.members,
        }
        inner = "".join(f"<{n}>{_text(str(v))}</{n}>" for n, v in parts.items())
        document = f"<Error>{inner}</Error><RequestId>{request_id}</RequestId>"
        return self._xml(written.status, "ErrorResponse", document, request_id, code=written.code)

    def unsigned(self, refused: SignatureRefused) -> AwsError:
        """Under the names that the query services have for it."""
        code, status = _REFUSALS.get(refused.code, (refused.code, 403))
        return AwsError(code, refused.message, status=status)

    def _xml(self, status: int, root: str, inner: str, request_id: str, code: str = "") -> Answer:
        return Answer(
            status=status,
            content_type="text/xml",
            body=f'<{root} xmlns="{self._namespace}">{inner}</{root}>'.encode(),
            request_id=request_id,
            code=code,
        )


def is_form(request: SignedRequest) -> bool:
    """Whether the body says that it is a form."""
    kind = header(request, "content-type") or ""
    return kind.partition(";")[0].strip().lower() == FORM


def _fields(request: SignedRequest, body: bytes) -> list[tuple[str, str]]:
    """The parameters of a request, which are all in one place.

    Raises:
        AwsError: they are not, one is given twice, or there are too many.
    """
    beside = [pair for pair in request.query.split("&") if pair and not pair.startswith("X-Amz-")]
    in_query = request.method == "GET" and not body
    if not in_query and (request.method != "POST" or beside or not is_form(request)):
        raise _malformed("parameters belong into the form of a POST or the query of a GET")
    try:
        # In a signed query a plus is a plus, in whichever way it is written.
        text = "&".join(beside).replace("+", "%2B") if in_query else body.decode("ascii")
        fields = parse_qsl(
            text,
            keep_blank_values=True,
            strict_parsing=bool(text),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
        if len({name for name, _ in fields}) != len(fields):
            raise _malformed("a parameter is given twice")
    except ValueError:
        raise _malformed("it is no form, or one of too many parameters") from None
    return fields


def _malformed(why: str) -> AwsError:
    return AwsError("MalformedQueryString", f"The request is not valid: {why}.")


def _tree(fields: list[tuple[str, str]]) -> _Tree:
    root: _Tree = {}
    for name, value in fields:
        at, parts = root, name.split(".")
        if len(parts) > 2 * MAX_DEPTH:
            raise Misfit(f"`{name[:80]}` is nested too deeply.")
        for part in parts[:-1]:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                raise Misfit(f"`{name[:80]}` contradicts another parameter.")
        if parts[-1] in at:
            raise Misfit(f"`{name[:80]}` contradicts another parameter.")
        at[parts[-1]] = value
    return root


def _unflattened(value: Any, form: Form) -> Any:
    """A tree of texts -> what JSON would hold; what does not fit is left for `from_wire`."""
    if form.kind == "structure" and isinstance(value, dict):
        return {
            name: _unflattened(item, form.members[name]) if name in form.members else item
            for name, item in value.items()
        }
    if form.kind == "list":
        return [_unflattened(item, form.each()) for item in _numbered(value, "member")]
    if form.kind == "map" and form.key is not None:
        entries = list(_numbered(value, "entry"))
        for entry in entries:
            keyed = isinstance(entry, dict) and set(entry) == {"key", "value"}
            if not keyed or not isinstance(entry["key"], str):
                raise Misfit(f"{form.name} must have a key and a value for each entry.")
        found = {e["key"]: _unflattened(e["value"], form.each()) for e in entries}
        if len(found) != len(entries):
            raise Misfit(f"{form.name} must have each key once.")
        return found
    return from_text(value, form.kind) if isinstance(value, str) else value


def _numbered(value: Any, word: str) -> Iterator[Any]:
    """The entries of `{word: {"1": ..., "2": ...}}`; an empty text stands for none."""
    if value == "":
        return
    entries = value.get(word) if isinstance(value, dict) and set(value) == {word} else None
    if not isinstance(entries, dict) or not all(_INDEX.fullmatch(n) for n in entries):
        raise Misfit(f"A list must be given as `{word}.1`, `{word}.2` and so on.")
    for number in range(1, len(entries) + 1):
        if str(number) not in entries:
            raise Misfit(f"A list must be given as `{word}.1`, `{word}.2` and so on.")
        yield entries[str(number)]


def _elements(value: Any, form: Form) -> Iterator[str]:
    """What is inside of the element for a value, which is as `to_wire` makes it."""
    if form.kind == "structure":
        for name, item in value.items():
            yield f"<{name}>{''.join(_elements(item, form.members[name]))}</{name}>"
    elif form.kind == "list":
        for item in value:
            yield f"<member>{''.join(_elements(item, form.each()))}</member>"
    elif form.kind == "map":
        for key, item in value.items():
            inner = "".join(_elements(item, form.each()))
            yield f"<entry><key>{_text(key)}</key><value>{inner}</value></entry>"
    elif form.kind == "boolean":
        yield "true" if value else "false"
    elif form.kind == "timestamp" and not isinstance(value, str):
        yield iso8601(value)
    else:
        yield _text(str(value))


def _text(value: str) -> str:
    """Text for an element.

    Raises:
        Misfit: it holds a character that XML cannot.
    """
    if _NO_XML.search(value):
        raise Misfit("XML cannot hold every character of the answer.")
    # A reader of XML makes a line feed of a bare carriage return.
    return escape(value, {"\r": "&#13;"})
