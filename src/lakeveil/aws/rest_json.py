"""AWS REST JSON 1: an operation is a method and a path, its parameters mostly a JSON text.

Lake Formation, all of whose operations are `POST /TheirName`. Members in the path, the query and
single headers are read too; streams and members of an answer outside its body are not served. The
protocol is in Smithy's specification, "AWS restJson1 protocol".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from lakeveil.aws.forms import LOCATIONS, FormReader
from lakeveil.aws.protocol import AwsError, Service
from lakeveil.aws.shapes import Misfit, from_wire, to_wire
from lakeveil.aws.sigv4 import SignatureRefused, SignedRequest
from lakeveil.aws.wire import (
    Answer,
    ModelledErrors,
    check_served,
    from_text,
    header,
    operation_forms,
    parse_json,
)

_LABEL = re.compile(r"\{(\w+)(\+?)\}")


class RestJson:
    """A service whose protocol is `rest-json`."""

    def __init__(self, service: Service) -> None:
        """Raises `Unserved` or `UnknownSyntax` where an operation's model is beyond us."""
        reader = FormReader()
        self.service = service
        self._forms = operation_forms(service, reader, locations=LOCATIONS)
        self._errors = ModelledErrors(service, reader)
        self._http = {
            n: service.model.operation_model(n).http for n in service.model.operation_names
        }
        self._paths = {name: _path_pattern(http["requestUri"]) for name, http in self._http.items()}

    def operation(self, request: SignedRequest, body: bytes) -> str:
        """By method and path; a target belongs to another protocol."""
        del body
        found = [
            name
            for name, path in self._paths.items()
            if self._http[name]["method"] == request.method and path.fullmatch(request.path)
        ]
        # A signature does not tell `/a//b` from `/a/b`, so only one of them is read.
        odd = {"", ".", ".."} & set(request.path.split("/")[1:])
        ours = len(found) == 1 and not odd and not _has_target(request)
        return check_served(self.service, found[0] if found else "", known=ours)

    def params(self, name: str, request: SignedRequest, body: bytes) -> dict[str, Any]:
        """Out of the body, the path, the query and the headers."""
        form = self._forms[name].input
        document = parse_json(body) if body else {}
        if not isinstance(document, dict) or any(n in form.locations for n in document):
            raise Misfit("The request's body must be an object with the members that belong there.")
        document |= self._elsewhere(name, request)
        params: dict[str, Any] = from_wire(document, form)
        return params

    def answer(self, name: str, result: Mapping[str, Any], request_id: str) -> Answer:
        """One JSON text."""
        document = to_wire(result, self._forms[name].output)
        return _json(self._http[name].get("responseCode", 200), document, request_id)

    def refusal(self, error: AwsError, request_id: str) -> Answer:
        """The code is in `__type` and in the header `x-amzn-errortype`."""
        written = self._errors.write(error)
        document = {
            "__type": written.code,
            written.message_member: error.message,
            **written.members,
        }
        return _json(written.status, document, request_id, code=written.code)

    def unsigned(self, refused: SignatureRefused) -> AwsError:
        """REST services answer 403."""
        return AwsError(refused.code, refused.message, status=403)

    def _elsewhere(self, name: str, request: SignedRequest) -> dict[str, Any]:
        matched = self._paths[name].fullmatch(request.path)
        labels = matched.groupdict() if matched else {}
        query = dict[str, str]()
        # In a signed query a plus is a plus, in whichever way it is written.
        for key, value in parse_qsl(request.query.replace("+", "%2B"), keep_blank_values=True):
            if key in query:
                raise Misfit(f"The query's `{key[:80]}` must be given once.")
            query[key] = value
        form, found = self._forms[name].input, dict[str, Any]()
        for member, (location, key) in form.locations.items():
            text = {
                "uri": unquote(labels[key]) if key in labels else None,
                "querystring": query.pop(key, None),
                "header": header(request, key.lower()),
            }[location]
            if text is not None:
                found[member] = from_text(text, form.members[member].kind)
        unknown = sorted(key for key in query if not key.startswith("X-Amz-"))
        if unknown:
            raise Misfit(f"The query has no member `{unknown[0][:80]}`.")
        return found


def rest_paths(services: Iterable[Service]) -> frozenset[str]:
    """The paths, without labels, at which rest-json services are called."""
    return frozenset(
        http["requestUri"]
        for service in services
        if service.model.metadata["protocol"] == "rest-json"
        for http in (service.model.operation_model(n).http for n in service.model.operation_names)
        if "{" not in http["requestUri"]
    )


def _path_pattern(uri: str) -> re.Pattern[str]:
    path = uri.partition("?")[0]
    pattern, at = "", 0
    for label in _LABEL.finditer(path):
        inside = ".+" if label[2] else "[^/]+"
        pattern += f"{re.escape(path[at : label.start()])}(?P<{label[1]}>{inside})"
        at = label.end()
    return re.compile(pattern + re.escape(path[at:]))


def _has_target(request: SignedRequest) -> bool:
    return any(name.lower() == "x-amz-target" for name, _ in request.headers)


def _json(status: int, document: Any, request_id: str, *, code: str = "") -> Answer:
    return Answer(
        status=status,
        content_type="application/json",
        body=json.dumps(document, allow_nan=False).encode(),
        request_id=request_id,
        code=code,
    )
