"""What an AWS service is to the layer that serves it: its model, its operations, its errors.

botocore's own service models say what an operation looks like, so a door is one function per
operation and nothing else. The wire itself is in `door` and in one file for each protocol.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Protocol

from botocore.loaders import Loader
from botocore.model import ServiceModel

from lakeveil.aws.sigv4 import Caller

OWN_SERVICE = "lakeveil"


class AwsError(Exception):
    """An answer that is an error. `code` is the AWS error code, `message` is for the caller.

    `code` may be an error's name in the service's model, or any other. `status` None is the
    model's HTTP status for that error, else 400. `members` are further members of the modelled
    error, such as Athena's `AthenaErrorCode`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})


Operation = Callable[[Caller, Mapping[str, Any]], Mapping[str, Any]]
"""One operation: the caller and checked parameters in, the result's members out."""

Gate = Callable[[Caller, str, Mapping[str, Any]], None]
"""Whether a caller may call: given the operation's name and checked parameters, it raises
`AwsError` or lets pass. Whatever else it raises is an error of ours, and the call does not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One AWS service as far as it is served here.

    Everything is checked when the service is made: a name that the model does not have is a
    ValueError.
    """

    model: ServiceModel
    operations: Mapping[str, Operation]
    """Those we implement, by their names in the model."""
    reads: frozenset[str] = frozenset()
    """Operations that change nothing and may run again for the same signed request. Each other one
    runs at most once for a signature, and its answer is kept for as long as that is good."""
    unsigned: frozenset[str] = frozenset()
    """Operations anybody may call without a signature, as the model allows (`authtype: none`)."""
    gate: Gate | None = None
    """Asked before each signed operation."""
    max_body_bytes: int = 4 * 2**20
    threads: int = 4
    """Operations of this service that run at once, so that a slow one cannot starve another."""
    waiting: int = 12
    """Calls that may be on their way beside those."""
    invalid_input_code: str = "ValidationException"
    """For parameters that do not fit the model."""
    internal_code: str = "InternalServerError"
    """For our own faults."""
    throttling_code: str = "ThrottlingException"
    """For calls beyond the limits; clients answer it by trying again."""
    too_large_code: str = "RequestEntityTooLargeException"
    """For a body of more than `max_body_bytes`."""
    errors_have_reference: bool = False
    """Errors repeat the code and the request's id in their document, as Rekognition's do."""

    def __post_init__(self) -> None:
        self._check("operations", set(self.operations) - set(self.model.operation_names))
        self._check("reads", self.reads - set(self.operations))
        self._check("unsigned", self.unsigned - set(self.operations))
        signed = {n for n in self.unsigned if self.model.operation_model(n).auth_type != "none"}
        self._check("unsigned, as its operations are signed", signed)

    def _check(self, what: str, wrong: set[str] | frozenset[str]) -> None:
        if wrong:
            raise ValueError(f"not in the model of {self.signing_name}: {what} {sorted(wrong)}")

    @property
    def signing_name(self) -> str:
        """The service in a signature's scope."""
        return str(self.model.signing_name)


class Observer(Protocol):
    """Told of every answered call; where metrics come from."""

    def __call__(self, *, operation: str, code: str, seconds: float) -> None:
        """`code` is empty where the call succeeded; `operation` is `-` where it is unknown."""
        ...


SecretOf = Callable[[str, str | None], str | None]
"""The secret of an access key id and session token (None: the request has none).

None for a key that is unknown, disabled or expired, for a token that is not this key's, and for a
session's key without its token. May raise `SignatureRefused` to say more, such as
ExpiredTokenException. Asked twice for a request, from several threads.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may call: the secret of each access key, the region we answer for, our clock.

    `region` None answers for every region, so that code keeps the region it has.
    """

    secret_of: SecretOf = field(repr=False)
    region: str | None = None
    now: Callable[[], float] = time.time


def internal_error(code: str = "InternalServerError") -> AwsError:
    """The answer where we, not the caller, are at fault."""
    return AwsError(
        code,
        "The request could not be processed. Try your call again.",
        status=500,
    )


def throttled(service: Service, why: str = "") -> AwsError:
    """The answer that clients take as a reason to wait and try again."""
    code = service.throttling_code
    return AwsError(
        code,
        why or "The service is temporarily unable to process the request. Try your call again.",
        # boto3 waits for this one only under its own status, which no model gives it.
        status=429 if code == "TooManyRequestsException" else None,
    )


@functools.cache
def load_model(name: str) -> ServiceModel:
    """A service's model: our own out of its package, any other out of botocore's bundled data."""
    if name == OWN_SERVICE:
        return ServiceModel(json.loads(own_model()), name)
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def own_model() -> str:
    """The text of our own service's model, in botocore's format."""
    return own_files()["service-2.json"]


def own_files() -> Mapping[str, str]:
    """What clients read about our own service, file by file, as botocore names and writes them.

    The model, and `paginators-1.json`: which operations answer in pages. Only botocore reads that.
    """
    folder = files("lakeveil.aws.lakeveil")
    names = ("service-2.json", "paginators-1.json")
    return {name: folder.joinpath(name).read_text("utf-8") for name in names}
