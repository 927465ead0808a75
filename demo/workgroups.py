"""Whose queries are whose: a workgroup for each team, with a place, a limit and a cost centre."""

from __future__ import annotations

from typing import Any

REGION = "us-east-1"
RESULTS = "lake-results"
LOADING = "loading"
WORKGROUPS = {"ana": "analysts", "finn": "fraud", "priya": "privacy"}
CUTOFF_BYTES = 1_000_000_000
"""A query that would read more is stopped."""


def create(athena: Any) -> None:
    """Make the workgroups: results go to their own place, whatever a client asks for."""
    for name in (LOADING, *WORKGROUPS.values()):
        athena.create_work_group(
            Name=name,
            Configuration={
                "ResultConfiguration": {"OutputLocation": output(name)},
                "EnforceWorkGroupConfiguration": True,
                "BytesScannedCutoffPerQuery": CUTOFF_BYTES,
            },
            Tags=[{"Key": "cost-centre", "Value": name}],
        )


def output(workgroup: str) -> str:
    """Where the results of a workgroup go."""
    return f"s3://{RESULTS}/{workgroup}/"


def rights(account: str, workgroup: str) -> list[dict[str, Any]]:
    """What it takes to ask: one's own workgroup, and its place. Nothing in it names a table."""
    return [
        {
            "Effect": "Allow",
            "Action": "athena:*",
            "Resource": f"arn:aws:athena:{REGION}:{account}:workgroup/{workgroup}",
        },
        {
            "Effect": "Allow",
            "Action": [
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
            ],
            "Resource": f"arn:aws:s3:::{RESULTS}/{workgroup}/*",
        },
    ]
