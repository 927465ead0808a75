"""AWS STS: who am I, become a role, become one with a token, a temporary key of my own.

Requests, answers and error codes are the service's own (API reference, "AWS Security Token
Service"). What is asked for and not served (managed session policies, MFA, source identities,
external ids, transitive tags) is refused, never left out in silence. AssumeRole asks two: the
role's trust policy, and the caller's own right to `sts:AssumeRole` on the role.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from lakeveil.aws import sigv4
from lakeveil.aws.protocol import AwsError, Operation, SecretOf, Service, load_model
from lakeveil.core.identity import arns
from lakeveil.errors import LakeveilError
from lakeveil.flows import sign_in
from lakeveil.flows.refusals import Refusals
from lakeveil.flows.sign_in import Caller, Opened, Wanted
from lakeveil.ports import Clock
from lakeveil.ports.audit import AuditLog
from lakeveil.ports.identity import Callers, KeyMint, Roles, Sessions, TokenVerifier

_UNSERVED = (
    "PolicyArns",
    "TransitiveTagKeys",
    "ExternalId",
    "SerialNumber",
    "TokenCode",
    "SourceIdentity",
    "ProvidedContexts",
    "ProviderId",
    "MinimumSessionTokenSize",
)
# By the names of the model's errors, which know their own HTTP status, where there is one.
_ERRORS: Mapping[str, tuple[str, int | None]] = {
    "access_denied": ("AccessDenied", 403),
    "key_not_good": ("InvalidClientTokenId", 403),
    "validation": ("ValidationError", 400),
    "malformed_policy_document": ("MalformedPolicyDocumentException", None),
    "packed_policy_too_large": ("PackedPolicyTooLargeException", None),
    "invalid_token": ("InvalidIdentityTokenException", None),
    "token_expired": ("ExpiredTokenException", None),
    "issuer_unavailable": ("IDPCommunicationErrorException", None),
}


def sts(
    *,
    callers: Callers,
    roles: Roles,
    sessions: Sessions,
    tokens: TokenVerifier,
    mint: KeyMint,
    audit: AuditLog,
    clock: Clock,
) -> Service:
    """The service as far as it is served here."""
    refusals = Refusals(audit=audit, clock=clock)

    def asks(caller: sigv4.Caller) -> Caller:
        return Caller(
            principal=callers.principal_of(caller.access_key),
            access_key_id=caller.access_key,
            request_id=caller.request_id,
            source_ip=caller.source_ip,
        )

    def get_caller_identity(caller: sigv4.Caller, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        who = callers.principal_of(caller.access_key)
        return {"UserId": who.user_id, "Account": who.account, "Arn": who.caller_arn}

    def assume_role(caller: sigv4.Caller, params: Mapping[str, Any]) -> Mapping[str, Any]:
        opened = sign_in.assume_role(
            asks(caller),
            _wanted(params),
            roles=roles,
            sessions=sessions,
            mint=mint,
            audit=audit,
            clock=clock,
        )
        return _assumed(opened)

    def assume_role_with_web_identity(
        caller: sigv4.Caller, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        opened, bearer = sign_in.assume_role_with_web_identity(
            params["WebIdentityToken"],
            _wanted(params),
            roles=roles,
            sessions=sessions,
            tokens=tokens,
            mint=mint,
            audit=audit,
            refusals=refusals,
            clock=clock,
            request_id=caller.request_id,
            source_ip=caller.source_ip,
        )
        return {
            **_assumed(opened),
            "SubjectFromWebIdentityToken": bearer.subject,
            "Provider": bearer.issuer.arn,
            "Audience": bearer.audience,
        }

    def get_session_token(caller: sigv4.Caller, params: Mapping[str, Any]) -> Mapping[str, Any]:
        _refuse_unserved(params)
        opened = sign_in.get_session_token(
            asks(caller),
            duration_s=params.get("DurationSeconds"),
            sessions=sessions,
            mint=mint,
            audit=audit,
            clock=clock,
        )
        return {"Credentials": _credentials(opened)}

    return Service(
        model=load_model("sts"),
        operations={
            "GetCallerIdentity": _answered(get_caller_identity),
            "AssumeRole": _answered(assume_role),
            "AssumeRoleWithWebIdentity": _answered(assume_role_with_web_identity),
            "GetSessionToken": _answered(get_session_token),
        },
        reads=frozenset({"GetCallerIdentity"}),
        unsigned=frozenset({"AssumeRoleWithWebIdentity"}),
        max_body_bytes=64 * 1024,
        invalid_input_code="ValidationError",
        internal_code="InternalFailure",
        throttling_code="Throttling",
    )


def key_lookup(callers: Callers) -> SecretOf:
    """For `Access.secret_of`: what `callers` say, and that a session's time is over.

    Clients renew a session when they are told so, and give up when its key is unknown.
    """

    def secret_of(access_key_id: str, session_token: str | None) -> str | None:
        secret = callers.secret_of(access_key_id, session_token)
        if secret is None and callers.has_expired(access_key_id, session_token):
            raise sigv4.SignatureRefused(
                "ExpiredTokenException", "The security token included in the request is expired"
            )
        return secret

    return secret_of


def _answered(operation: Operation) -> Operation:
    """The operation with our refusals in the service's own words; our faults stay ours."""

    @wraps(operation)
    def run(caller: sigv4.Caller, params: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return operation(caller, params)
        except LakeveilError as error:
            if error.code not in _ERRORS:
                raise
            code, status = _ERRORS[error.code]
            # Why a refusal was made is for the audit log, but what is wrong with a document or a
            # token helps whoever wrote it, and quotes nothing.
            told = error.code not in {"access_denied", "validation"} and error.why
            message = f"{error.what}: {error.why}" if told else error.what
            raise AwsError(code, message, status=status) from error

    return run


def _wanted(params: Mapping[str, Any]) -> Wanted:
    _refuse_unserved(params)
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}
    if len({key.casefold() for key in tags}) != len(params.get("Tags", [])):
        raise AwsError("ValidationError", "Duplicate tag keys found.")
    if any(key.casefold().startswith("aws:") for key in tags):
        raise AwsError("ValidationError", "Tag keys that begin with `aws:` are reserved.")
    return Wanted(
        role_arn=params["RoleArn"],
        session_name=params["RoleSessionName"],
        duration_s=params.get("DurationSeconds"),
        policy=params.get("Policy", ""),
        tags=tags,
    )


def _refuse_unserved(params: Mapping[str, Any]) -> None:
    for name in _UNSERVED:
        if params.get(name):
            raise AwsError("ValidationError", f"The parameter {name} is not served here.")


def _assumed(opened: Opened) -> Mapping[str, Any]:
    session = opened.session
    document: dict[str, Any] = {
        "Credentials": _credentials(opened),
        "AssumedRoleUser": {
            "AssumedRoleId": f"{opened.role_id}:{session.name}",
            "Arn": arns.assumed_role_arn(session.account, session.role, session.name),
        },
    }
    if session.policy:
        used = len(session.policy) / sign_in.MAX_SESSION_POLICY
        document["PackedPolicySize"] = max(1, round(100 * used))
    return document


def _credentials(opened: Opened) -> Mapping[str, Any]:
    return {
        "AccessKeyId": opened.key.access_key_id,
        "SecretAccessKey": opened.key.secret_access_key,
        "SessionToken": opened.key.session_token,
        "Expiration": datetime.fromtimestamp(opened.session.expires_at, UTC).replace(microsecond=0),
    }
