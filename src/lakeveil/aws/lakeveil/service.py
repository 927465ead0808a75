"""Lakeveil's own API: which operation is which function, and who may call it.

Every call passes the gate first: the caller's own rights must allow `lakeveil:OPERATION` on what it
is about (see `resources`). What it may do there beyond that, the flows check, which are those of
the command line. That a change was refused at the gate is on record, as is every change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from lakeveil.aws.lakeveil import discovery, explaining, guards, masks, requests
from lakeveil.aws.lakeveil.on_record import CalledAudit
from lakeveil.aws.lakeveil.resources import arn_of
from lakeveil.aws.lakeveil.shapes import Desks, Shape, aws_error
from lakeveil.aws.protocol import AwsError, Operation, Service, load_model
from lakeveil.aws.sigv4 import Caller
from lakeveil.core.audit import AuditOutcome
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import LakeveilError
from lakeveil.flows.change_access import AccessDesk, Call
from lakeveil.flows.refusals import NO_RIGHT_TO_CALL, Refusals
from lakeveil.flows.request_desk import RequestDesk

Handler = Callable[[Call, Shape, Desks], Shape]

CHANGES: Mapping[str, Handler] = {
    "RequestAccess": requests.request_access,
    "ApproveAccessRequest": requests.approve_access_request,
    "DenyAccessRequest": requests.deny_access_request,
    "WithdrawAccessRequest": requests.withdraw_access_request,
    "BreakGlass": requests.break_glass,
    "GrantMasked": masks.grant_masked,
    "GuardNames": guards.guard_names,
    "LiftNameGuard": guards.lift_name_guard,
    "SetDiscoverable": discovery.set_discoverable,
}
READS: Mapping[str, Handler] = {
    "ExplainAccess": explaining.explain_access,
    "ListDiscoverable": discovery.list_discoverable,
    "SearchData": discovery.search_data,
    "ListAccessRequests": requests.list_access_requests,
    "DescribeAccessRequest": requests.describe_access_request,
    "ListNameGuards": guards.list_name_guards,
}


def own_api(
    *, desk: RequestDesk, access: AccessDesk, who: Callable[[Caller], Principal]
) -> Service:
    """The service over one lake. `who` raises `Refused` for a key that is no longer good.

    Access is explained and asked for over `desk`, and changed over `access`: two views of one lake.
    """
    refusals = Refusals(audit=access.audit, clock=access.clock)

    def call_of(caller: Caller, operation: str) -> Call:
        return Call(
            who=_principal(who, caller),
            action=f"lakeveil:{operation}",
            access_key=caller.access_key,
            request_id=caller.request_id,
            source_ip=caller.source_ip,
        )

    def gate(caller: Caller, operation: str, params: Mapping[str, Any]) -> None:
        call = call_of(caller, operation)
        resource = arn_of(operation, params, call.who.account)
        if call.who.rights.allows(call.action, resource):
            return
        if operation in CHANGES:
            event = call.event(AuditOutcome.REFUSED, resource, error_code=NO_RIGHT_TO_CALL)
            refusals.record(event, subject=caller.access_key)
        raise AwsError(
            "AccessDeniedException",
            f"User: {call.who.caller_arn} is not authorized to perform: {call.action} on "
            f"resource: {resource}",
        )

    def operation(name: str, handler: Handler) -> Operation:
        def run(caller: Caller, params: Mapping[str, Any]) -> Mapping[str, Any]:
            call = call_of(caller, name)
            # Requests are put on record by whoever runs them; ours say which call that was.
            desks = Desks(
                requests=replace(desk, audit=CalledAudit(desk.audit, call)), access=access
            )
            try:
                return handler(call, params, desks)
            except LakeveilError as error:
                answer = aws_error(error)
                if answer is None:
                    raise
                raise answer from error

        return run

    return Service(
        model=load_model("lakeveil"),
        operations={name: operation(name, h) for name, h in {**CHANGES, **READS}.items()},
        reads=frozenset(READS),
        gate=gate,
        invalid_input_code="InvalidInputException",
        internal_code="InternalServiceException",
    )


def _principal(who: Callable[[Caller], Principal], caller: Caller) -> Principal:
    try:
        return who(caller)
    except LakeveilError as error:
        if aws_error(error) is None:
            raise
        raise AwsError("AccessDeniedException", error.what) from error
