"""Locations of data: `s3://bucket/prefix`, and what lies under what."""

from __future__ import annotations

import posixpath
import re

_SCHEME = re.compile(r"s3[an]?://", re.IGNORECASE)
_ARN = re.compile(r"arn:aws[a-z-]*:s3:::")


def normalised(location: str) -> str:
    """One spelling of a location: scheme `s3`, no slash at the end; `` where it is no location.

    ARNs of buckets and paths, as Lake Formation registers them, are read too. A path with an
    empty, `.` or `..` part is no location: an object's key may hold such parts, and two readers
    of it might disagree on what it lies under.

    >>> normalised("s3a://lake/events/"), normalised("arn:aws:s3:::lake/events")
    ('s3://lake/events', 's3://lake/events')
    >>> normalised("s3://lake/events/../salaries")
    ''
    """
    for form in (_SCHEME, _ARN):
        if found := form.match(location):
            path = location[found.end() :].rstrip("/")
            good = path and posixpath.normpath(path) == path and not path.startswith((".", "/"))
            return f"s3://{path}" if good else ""
    return ""


def is_under(location: str, registered: str) -> bool:
    """Whether a location is a registered one or lies below it, part by part.

    >>> is_under("s3://lake/bu-ab/x", "s3://lake/bu-a")
    False
    """
    inner, outer = normalised(location), normalised(registered)
    return bool(inner and outer) and (inner == outer or inner.startswith(f"{outer}/"))
