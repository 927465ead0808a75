"""The rows of STS, Rekognition and Lakeveil's own API."""

from __future__ import annotations

import functools

from tests.doors.every_operation.lakeformation_rows import a_table
from tests.doors.every_operation.names import Names
from tests.doors.every_operation.rows import Row, Token, refused, row, told
from tests.doors.running import photo

OWN = "lakeveil:"


def identity(n: Names) -> list[Row]:
    """STS: who one is, and sessions."""
    becoming = {"RoleArn": n.role_arn, "RoleSessionName": n.session}
    return [
        row("analyst", "sts:GetCallerIdentity"),
        row("analyst", "sts:AssumeRole", **becoming, DurationSeconds=900, Policy=_GLUE_ONLY),
        row("analyst", "sts:AssumeRoleWithWebIdentity", **becoming, WebIdentityToken=Token()),
        row("analyst", "sts:GetSessionToken", DurationSeconds=900),
        refused("AccessDenied", row("stranger", "sts:AssumeRole", **becoming)),
    ]


def faces() -> list[Row]:
    """Rekognition, whose faces a stand-in finds."""
    return [row("stranger", "rekognition:DetectFaces", Image={"Bytes": _photo()})]


def build(n: Names) -> list[Row]:
    """Guards, masks, what may be found, and three requests for access."""
    about = {"DatabaseName": n.database, "TableName": n.table}
    closed = {"Discoverable": False}
    masked = {"Kind": "FIXED", "Text": n.mask_text}
    return [
        row("admin", OWN + "GuardNames", Pattern=f"{n.guard}*", TagKey=n.tag),
        row(
            "admin",
            OWN + "GrantMasked",
            Principal=n.arn("other"),
            Resource=a_table(n, n.closed_table),
            Mask=masked,
            Reason=n.reason,
        ),
        *(
            row(who, OWN + "RequestAccess", **about, ColumnNames=[column], Reason=n.reason)
            for who, column in (("other", "id"), ("other", n.key))
        ),
        row("owner", OWN + "ListAccessRequests"),
        row("owner", OWN + "DescribeAccessRequest", RequestId=_request(0)),
        row("owner", OWN + "DenyAccessRequest", RequestId=_request(0), Reason=n.other_reason),
        row("owner", OWN + "DescribeAccessRequest", RequestId=_request(1)),
        row(
            "owner",
            OWN + "ApproveAccessRequest",
            RequestId=_request(1),
            Cells=told("DescribeAccessRequest", "Cells"),
            Days=1,
        ),
        row("other", OWN + "RequestAccess", **about, ColumnNames=["id"], Reason=n.reason),
        row("admin", OWN + "SetDiscoverable", DatabaseName=n.database, **closed),
        row("admin", OWN + "SetDiscoverable", DatabaseName=n.closed_database, **closed),
    ]


def look(n: Names) -> list[Row]:
    """Everything that can be read."""
    about = {"DatabaseName": n.database, "TableName": n.table}
    return [
        row("analyst", OWN + "ExplainAccess", **about, ColumnName=n.shown),
        row("admin", OWN + "ExplainAccess", **about, Principal=n.arn("analyst")),
        row("analyst", OWN + "ListDiscoverable"),
        row("analyst", OWN + "SearchData", Text=n.table),
        row("owner", OWN + "ListAccessRequests"),
        row(
            "other",
            OWN + "DescribeAccessRequest",
            RequestId=told("RequestAccess", "Request", "RequestId"),
        ),
        row("admin", OWN + "ListNameGuards"),
    ]


def tear_down(n: Names) -> list[Row]:
    """What `build` made, taken down; and the glass that is broken in an emergency."""
    latest = told("RequestAccess", "Request", "RequestId")
    return [
        row("other", OWN + "WithdrawAccessRequest", RequestId=latest),
        row("admin", OWN + "LiftNameGuard", Pattern=f"{n.guard}*", TagKey=n.tag),
        row(
            "admin",
            OWN + "BreakGlass",
            DatabaseName=n.database,
            TableName=n.table,
            Reason=n.reason,
            DurationSeconds=60,
        ),
    ]


_GLUE_ONLY = (
    '{"Version": "2012-10-17", '
    '"Statement": [{"Effect": "Allow", "Action": "glue:Get*", "Resource": "*"}]}'
)


def _request(number: int) -> object:
    return told("ListAccessRequests", "Requests", number, "RequestId")


@functools.cache
def _photo() -> bytes:
    return photo()
