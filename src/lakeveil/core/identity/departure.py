"""Who goes, and all that names them: so that whoever has the name next has none of it.

A user, group or role goes under its ARN; an issuer with all the people and groups that grants name
as its own; an account with everything that is in it. What names them is found by identifier, and
where something must stay and name somebody (a trust policy, an old request), a unique id that is
never given again takes the place of the name, as in IAM ("IAM identifiers", unique identifiers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lakeveil.core.audit import Json
from lakeveil.core.identity import arns
from lakeveil.errors import UsageError

MOST_LISTED = 100
"""So many of one kind are named in a record, which must not grow without bound; all are counted."""
_MOST_SPOKEN = 5


class Tie(StrEnum):
    """What can stand on a name."""

    GRANT = "grants"
    """By id."""
    ADMINISTRATOR = "administrator of"
    """An account whose data lake administrator it is, read-only ones too."""
    DATABASE = "owner of databases"
    """`ACCOUNT/DATABASE`."""
    TABLE = "owner of tables"
    """`ACCOUNT/DATABASE.TABLE`."""
    TAG = "creator of LF-Tags"
    """`ACCOUNT/KEY`: whoever created a tag may grant by it."""
    REQUEST = "requests for access"
    """By id; those that wait for an answer."""
    TRUST = "trusted by roles"
    """By ARN."""
    ONTOLOGY = "LF-Tags"
    """Of an account, as are the next."""
    EXPRESSION = "LF-Tag expressions"
    FILTER = "data cells filters"
    LOCATION = "registered locations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaver:
    """Whoever goes. `id` takes the place of the name where something must.

    An identifier names it that is one of `names`, or begins with one of `prefixes`. `account` is
    set where all of an account goes.
    """

    id: str
    names: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    account: str = ""

    def covers(self, identifier: str) -> bool:
        """Whether an identifier names whoever goes."""
        return identifier in self.names or identifier.startswith(self.prefixes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """What goes along, or would: for each kind of tie what it is to.

    `id` now stands where the name stood and something had to stay.
    """

    id: str = field(default="", compare=False)
    ties: Mapping[Tie, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(self.ties.values())

    def counts(self) -> dict[str, int]:
        """How many of each kind there are."""
        return {str(tie): len(named) for tie, named in self.ties.items() if named}

    def as_record(self) -> dict[str, Json]:
        """For the audit log: how many of each kind, and which, at most `MOST_LISTED` of them."""
        which: dict[str, Json] = {
            str(tie): {"count": len(named), "which": named[:MOST_LISTED]}
            for tie, named in self.ties.items()
            if named
        }
        return {"unique_id": self.id, **which}

    def sentence(self) -> str:
        """For a question, with a space before it; empty where nothing goes along."""
        if not self:
            return ""
        parts = []
        for tie, named in self.ties.items():
            if named:
                # What a location is called, others chose: nothing of it may steer a terminal.
                some = [one if one.isprintable() else ascii(one) for one in named[:_MOST_SPOKEN]]
                more = ["..."] if len(named) > _MOST_SPOKEN else []
                parts.append(f"{tie}: {len(named)} ({', '.join(some + more)})")
        return f" It takes along: {'; '.join(parts)}."


def leaver(identifier: str, unique_id: str) -> Leaver:
    """Whoever an identifier names, as somebody who goes.

    Raises:
        UsageError: it is no user's, group's, role's, issuer's or account's.
    """
    found = arns.parse(identifier)
    match found.kind:
        case arns.Kind.USER | arns.Kind.GROUP | arns.Kind.ROLE:
            return Leaver(id=unique_id, names=frozenset({identifier}))
        case arns.Kind.ISSUER:
            people = f"arn:aws:iam::{found.account}:saml-provider/{found.provider}:"
            return Leaver(id=unique_id, names=frozenset({identifier}), prefixes=(people,))
        case arns.Kind.ACCOUNT:
            number = found.account
            return Leaver(
                id=unique_id,
                names=frozenset({number, arns.iam_principals(number)}),
                prefixes=(f"arn:aws:iam::{number}:", f"arn:aws:sts::{number}:"),
                account=number,
            )
        case _:
            raise UsageError(
                f"`{identifier[: arns.MAX_IDENTIFIER]}` is nobody who could be deleted",
                why="it is neither a user, a group, a role, an issuer nor an account",
                fix="name one of these",
            )
