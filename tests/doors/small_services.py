"""Small services of each protocol, for tests of the wire alone; they note their calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lakeveil.aws.protocol import AwsError, Operation, Service, load_model
from lakeveil.aws.sigv4 import Caller

EXPIRES = 1_767_225_599.0


@dataclass
class Seen:
    """What the services were called with."""

    calls: list[tuple[str, Caller, Mapping[str, Any]]] = field(default_factory=list)

    def __call__(self, name: str, result: Mapping[str, Any]) -> Operation:
        """An operation that notes its call, and answers `result`."""

        def operation(caller: Caller, params: Mapping[str, Any]) -> Mapping[str, Any]:
            self.calls.append((name, caller, params))
            return result

        return operation

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.calls]

    @property
    def params(self) -> Mapping[str, Any]:
        """Those of the last call."""
        return self.calls[-1][2]


def refusing(error: Exception) -> Operation:
    """An operation that raises."""

    def operation(_caller: Caller, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        raise error

    return operation


def glue(seen: Seen, **how: Any) -> Service:
    table = {
        "Name": "campaigns",
        "Description": None,
        "CreateTime": EXPIRES,
        "StorageDescriptor": {"Columns": [{"Name": "spend", "Type": "bigint"}]},
    }
    missing = AwsError(
        "EntityNotFoundException",
        "Database `x` not found.",
        members={"FromFederationSource": False},
    )
    operations: dict[str, Operation] = {
        "GetTable": seen("GetTable", {"Table": table}),
        "CreateDatabase": seen("CreateDatabase", {}),
        "GetDatabase": refusing(missing),
        "DeleteDatabase": refusing(RuntimeError("hunter2")),
        **how.pop("operations", {}),
    }
    return Service(
        model=load_model("glue"),
        operations=operations,
        **{
            "reads": frozenset({"GetTable", "GetDatabase"}),
            "invalid_input_code": "InvalidInputException",
            "internal_code": "InternalServiceException",
            **how,
        },
    )


def lake_formation(seen: Seen, **how: Any) -> Service:
    operations: dict[str, Operation] = {
        "CreateLFTag": seen("CreateLFTag", {}),
        "GetLFTag": seen("GetLFTag", {"TagKey": "class", "TagValues": ["public", "private"]}),
        "DeleteLFTag": refusing(AwsError("AccessDeniedException", "Insufficient permissions.")),
        **how.pop("operations", {}),
    }
    return Service(
        model=load_model("lakeformation"),
        operations=operations,
        **{
            "reads": frozenset({"GetLFTag"}),
            "invalid_input_code": "InvalidInputException",
            "internal_code": "InternalServiceException",
            "throttling_code": "ThrottledException",
            **how,
        },
    )


def sts(seen: Seen, **how: Any) -> Service:
    credentials = {
        "AccessKeyId": "ASIA0123456789ABCDEF",
        "SecretAccessKey": "a<b>&c",
        "SessionToken": "token",
        "Expiration": EXPIRES,
    }
    who = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ana", "UserId": "A1"}
    operations: dict[str, Operation] = {
        "GetCallerIdentity": seen("GetCallerIdentity", who),
        "AssumeRole": seen("AssumeRole", {"Credentials": credentials, "PackedPolicySize": 3}),
        "AssumeRoleWithWebIdentity": seen(
            "AssumeRoleWithWebIdentity", {"Credentials": credentials, "Provider": "issuer"}
        ),
        "GetSessionToken": refusing(
            AwsError("MalformedPolicyDocumentException", "Not a policy: \x00 <a> & `b`.")
        ),
        **how.pop("operations", {}),
    }
    return Service(
        model=load_model("sts"),
        operations=operations,
        **{
            "reads": frozenset({"GetCallerIdentity"}),
            "unsigned": frozenset({"AssumeRoleWithWebIdentity"}),
            "invalid_input_code": "ValidationError",
            "internal_code": "InternalFailure",
            "throttling_code": "Throttling",
            **how,
        },
    )


def athena(seen: Seen, **how: Any) -> Service:
    refused = AwsError(
        "InvalidRequestException",
        "line 1:8: mismatched input",
        members={"AthenaErrorCode": "MALFORMED_QUERY"},
    )
    operations: dict[str, Operation] = {
        "GetWorkGroup": seen("GetWorkGroup", {"WorkGroup": {"Name": "primary"}}),
        "StartQueryExecution": refusing(refused),
        **how.pop("operations", {}),
    }
    return Service(
        model=load_model("athena"),
        operations=operations,
        **{
            "reads": frozenset({"GetWorkGroup"}),
            "invalid_input_code": "InvalidRequestException",
            "internal_code": "InternalServerException",
            "throttling_code": "TooManyRequestsException",
            **how,
        },
    )


def every(seen: Seen, **how: Any) -> tuple[Service, ...]:
    """One of each."""
    return tuple(make(seen, **how) for make in (glue, lake_formation, sts, athena))
