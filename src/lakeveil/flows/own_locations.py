"""What a principal could do with objects at a place of the store without us, by rights alone.

Where no location is registered, no grant speaks: whoever asks us to read or write there gets no
more than their own policies give. A place is everything below a folder, of which some names are
not known yet, so a Deny that could match anything below it takes all of it away.
"""

from __future__ import annotations

import re

from lakeveil.core.identity.rights import Effect, Rights
from lakeveil.core.identity.wildcards import matches

WRITE, READ, REMOVE = "s3:PutObject", "s3:GetObject", "s3:DeleteObject"
_LITERAL = re.compile(r"[^*?]*")


def object_arn(location: str) -> str:
    """The ARN of `s3://bucket/key`."""
    return f"arn:aws:s3:::{location.removeprefix('s3://')}"


def allows_below(rights: Rights, action: str, location: str, name: str) -> bool:
    """Whether an action is allowed for objects below a location, and denied for none there.

    `name` is one that nobody's policy knows, such as a new identifier: what allows it, allows any.
    """
    folder = f"{object_arn(location)}/"
    return rights.allows(action, f"{folder}{name}") and not may_deny(rights, action, folder)


def may_deny(rights: Rights, action: str, beginning: str) -> bool:
    """Whether a Deny could match an action on some ARN that begins so."""
    for statement in rights.statements:
        if statement.effect is Effect.DENY and any(
            matches(one.lower(), action.lower()) for one in statement.actions
        ):
            for resource in statement.resources:
                found = _LITERAL.match(resource)
                literal = found[0] if found else ""
                open_ended = literal != resource
                if literal.startswith(beginning) or (open_ended and beginning.startswith(literal)):
                    return True
    return any(may_deny(limit, action, beginning) for limit in rights.within)
