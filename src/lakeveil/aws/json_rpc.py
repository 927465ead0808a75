"""AWS JSON 1.0 and 1.1: the operation is named in `X-Amz-Target`, everything else is one JSON text.

Athena, Glue and Rekognition. The protocol is in Smithy's specification, "AWS JSON 1.1 protocol".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lakeveil.aws.forms import FormReader
from lakeveil.aws.protocol import AwsError, Service
from lakeveil.aws.shapes import from_wire, to_wire
from lakeveil.aws.sigv4 import SignatureRefused, SignedRequest
from lakeveil.aws.wire import (
    Answer,
    ModelledErrors,
    check_served,
    header,
    operation_forms,
    parse_json,
)


class JsonRpc:
    """A service whose protocol is `json`."""

    def __init__(self, service: Service) -> None:
        """Raises `Unserved` or `UnknownSyntax` where an operation's model is beyond us."""
        reader = FormReader()
        self.service = service
        self._forms = operation_forms(service, reader)
        self._errors = ModelledErrors(service, reader)
        self._content_type = f"application/x-amz-json-{service.model.metadata['jsonVersion']}"

    def operation(self, request: SignedRequest, body: bytes) -> str:
        """By the target, which must be this service's."""
        del body
        prefix, _, name = (header(request, "x-amz-target") or "").rpartition(".")
        ours = prefix == self.service.model.metadata["targetPrefix"] and request.path == "/"
        return check_served(self.service, name, known=ours and request.method == "POST")

    def params(self, name: str, request: SignedRequest, body: bytes) -> dict[str, Any]:
        """Out of the body."""
        del request
        params: dict[str, Any] = from_wire(parse_json(body), self._forms[name].input)
        return params

    def answer(self, name: str, result: Mapping[str, Any], request_id: str) -> Answer:
        """One JSON text."""
        document = to_wire(result, self._forms[name].output)
        return self._json(200, document, request_id)

    def refusal(self, error: AwsError, request_id: str) -> Answer:
        """Every SDK finds the code in `__type`, or in the header `x-amzn-errortype`."""
        written = self._errors.write(error)
        document = {"__type": written.code, written.message_member: error.message}
        if self.service.errors_have_reference:
            document |= {"Code": written.code, "Logref": request_id}
        return self._json(
            written.status, {**document, **written.members}, request_id, code=written.code
        )

    def unsigned(self, refused: SignatureRefused) -> AwsError:
        """As it is."""
        return AwsError(refused.code, refused.message)

    def _json(self, status: int, document: Any, request_id: str, *, code: str = "") -> Answer:
        return Answer(
            status=status,
            content_type=self._content_type,
            body=json.dumps(document, allow_nan=False).encode(),
            request_id=request_id,
            code=code,
        )


def plain_refusal(error: AwsError, request_id: str) -> Answer:
    """An error to a caller of whom we do not know which service is meant."""
    document = {"__type": error.code, "Message": error.message}
    return Answer(
        status=error.status or 400,
        content_type="application/x-amz-json-1.1",
        body=json.dumps(document).encode(),
        request_id=request_id,
        code=error.code,
    )
