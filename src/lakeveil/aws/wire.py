"""What the protocols have in common: an answer, a service's forms, the way it writes its errors."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.model import Shape

from lakeveil.aws.forms import Form, FormReader, OperationForms
from lakeveil.aws.protocol import AwsError, Service
from lakeveil.aws.shapes import Misfit, to_wire
from lakeveil.aws.sigv4 import SignatureRefused, SignedRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer. `code` is the error's, and empty where the call succeeded."""

    status: int
    content_type: str
    body: bytes = field(repr=False)
    request_id: str
    code: str = ""


class Wire(Protocol):
    """One service in its protocol: requests to Python values, and results to answers."""

    @property
    def service(self) -> Service:
        """What is served."""
        ...

    def operation(self, request: SignedRequest, body: bytes) -> str:
        """The name of the operation that is asked for: one that is served.

        Raises:
            AwsError: none, an unknown one, or one that belongs to another service.
        """
        ...

    def params(self, name: str, request: SignedRequest, body: bytes) -> dict[str, Any]:
        """The operation's checked parameters.

        Raises:
            AwsError: it is not even well-formed.
            Misfit: it does not fit the model.
        """
        ...

    def answer(self, name: str, result: Mapping[str, Any], request_id: str) -> Answer:
        """The answer to a call that succeeded.

        Raises:
            Misfit: the result does not fit the model.
        """
        ...

    def refusal(self, error: AwsError, request_id: str) -> Answer:
        """The answer to a call that did not."""
        ...

    def unsigned(self, refused: SignatureRefused) -> AwsError:
        """A signature's refusal as this protocol words it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenError:
    """An error as it goes over the wire."""

    code: str
    status: int
    message_member: str
    members: Mapping[str, Any]
    """Beside the message; for JSON."""


class ModelledErrors:
    """How one service writes its errors, by the error shapes of its model."""

    def __init__(self, service: Service, reader: FormReader) -> None:
        self._shapes: dict[str, tuple[Shape, Form]] = {}
        for shape in service.model.error_shapes:
            # A few codes differ from their shape's name: STS's IDPCommunicationError.
            self._shapes[shape.name] = self._shapes[shape.error_code] = shape, reader.read(shape)

    def write(self, error: AwsError) -> WrittenError:
        """Code, status and members of an error.

        Raises:
            Misfit: it has members that the model does not know.
        """
        known = self._shapes.get(error.code)
        if known is None:
            if error.members:
                raise Misfit(f"{error.code} has no member {', '.join(sorted(error.members))}.")
            return WrittenError(
                code=error.code,
                status=error.status or 400,
                message_member="Message",
                members={},
            )
        shape, form = known
        message = "message" if "message" in form.members else "Message"
        text = {message: error.message} if message in form.members else {}
        members = to_wire({**error.members, **text}, form)
        members.pop(message, None)
        usual = 500 if "fault" in _traits(shape) else 400
        return WrittenError(
            code=shape.error_code,
            status=error.status or shape.metadata.get("error", {}).get("httpStatusCode", usual),
            message_member=message,
            members=members,
        )


def _traits(shape: Shape) -> set[str]:
    # botocore keeps `fault` out of a shape's metadata.
    return {name for name, value in shape._shape_model.items() if value is True}  # noqa: SLF001


def operation_forms(
    service: Service, reader: FormReader, *, locations: Collection[str] = ()
) -> Mapping[str, OperationForms]:
    """The forms of every operation that is served.

    Raises:
        Unserved, UnknownSyntax: an operation cannot be served as its model says.
    """
    return {
        name: reader.operation(service.model.operation_model(name), locations=locations)
        for name in service.operations
    }


def check_served(service: Service, name: str, *, known: bool) -> str:
    """The name again, where it is an operation that is served.

    Raises:
        AwsError: it is not; only names that the model has are repeated.
    """
    if known and name in service.operations:
        return name
    if known and name in service.model.operation_names:
        raise AwsError(
            "UnknownOperationException", f"The operation {name} is not supported by Lakeveil."
        )
    raise AwsError("UnknownOperationException", "Unknown operation.")


def header(request: SignedRequest, name: str) -> str | None:
    """The one header of a name; None where there is none, or more than one."""
    found = [v for n, v in request.headers if n.lower() == name]
    return found[0] if len(found) == 1 else None


def parse_json(body: bytes) -> Any:
    """One JSON text, without what Python would let pass.

    Raises:
        AwsError: not JSON, a name that occurs twice, NaN, or nested beyond reason.
    """
    try:
        return json.loads(body, parse_constant=_no_constant, object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        raise AwsError("SerializationException", "The request is not valid JSON.") from None


def from_text(text: str, kind: str) -> Any:
    """A value outside of JSON -> what JSON would hold; what is neither stays the text it is."""
    if kind in {"integer", "long"} and re.fullmatch(r"[+-]?[0-9]{1,20}", text):
        return int(text)
    if kind in {"float", "double"} and re.fullmatch(r"[+-]?[0-9.]{1,40}(?:[eE][+-]?[0-9]+)?", text):
        try:
            return float(text)
        except ValueError:
            return text
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _no_constant(_name: str) -> float:
    raise ValueError("JSON has no such number")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found
