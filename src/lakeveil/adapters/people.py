"""Everybody in the directory, as decisions see them: the port `People`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lakeveil.adapters.identity.directory import Directory
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Group
from lakeveil.core.identity.principal import Principal, principal_of_role, principal_of_user
from lakeveil.errors import NotFound, UsageError

# What stands for several people is asked about as if it were one.
_NO_PERSON = frozenset(
    {
        arns.Kind.ACCOUNT,
        arns.Kind.GROUP,
        arns.Kind.FEDERATED_GROUP,
        arns.Kind.IAM_PRINCIPALS,
    }
)


class DirectoryPeople:
    """`People` over the directory. Thread-safe."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def principal(self, identifier: str) -> Principal | None:
        """See `People`."""
        try:
            found = arns.parse(identifier)
        except UsageError:
            return None
        if found.kind in {arns.Kind.USER, arns.Kind.ROLE}:
            return self._ours(found)
        own = {identifier}
        if found.kind is arns.Kind.FEDERATED_USER:
            own.add(arns.iam_principals(found.account))
        if found.kind is arns.Kind.FEDERATED_USER or found.kind in _NO_PERSON:
            return Principal(arn=identifier, account=found.account, identities=frozenset(own))
        return None

    def principals(self) -> Sequence[Principal]:
        """See `People`."""
        found: list[Principal] = []
        for account in self.accounts():
            groups_of: dict[str, list[Group]] = defaultdict(list)
            for group in self._directory.groups(account):
                for member in self._directory.members(account, group.name):
                    groups_of[member].append(group)
            found += [
                principal_of_user(one, groups_of[one.name])
                for one in self._directory.users(account)
            ]
            found += [principal_of_role(one) for one in self._directory.roles(account)]
        return sorted(found, key=lambda who: who.arn)

    def accounts(self) -> Sequence[str]:
        """See `People`."""
        return [account.id for account in self._directory.accounts()]

    def _ours(self, found: arns.Identifier) -> Principal | None:
        try:
            if found.kind is arns.Kind.ROLE:
                return principal_of_role(self._directory.role(found.account, found.name))
            user = self._directory.user(found.account, found.name)
        except NotFound:
            return None
        names = self._directory.groups_of(found.account, found.name)
        return principal_of_user(user, [self._directory.group(found.account, one) for one in names])
