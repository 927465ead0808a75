"""Whether a principal that a grant would name is there, and what else speaks for it."""

from __future__ import annotations

from lakeveil.adapters.identity.directory import Directory
from lakeveil.adapters.identity.issuers import IssuerTable
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Account
from lakeveil.core.identity.principal import principal_of_user
from lakeveil.errors import NotFound, UsageError


class Registry:
    """What changes of access ask of the directory. Thread-safe."""

    def __init__(self, directory: Directory, issuers: IssuerTable) -> None:
        self._directory = directory
        self._issuers = issuers

    def knows(self, identifier: str) -> bool:
        """Whether there is a user, role, group, account, organisation or issuer of that name.

        People and groups of an issuer are its own affair: they are known where the issuer is.
        """
        try:
            return self._is_there(arns.parse(identifier), identifier)
        except (UsageError, NotFound):
            return False

    def identities_of(self, identifier: str) -> frozenset[str]:
        """All identifiers that speak for a user or role, its own included."""
        try:
            found = arns.parse(identifier)
            everybody = {identifier, arns.iam_principals(found.account)}
            if found.kind is arns.Kind.USER:
                user = self._directory.user(found.account, found.name)
                groups = self._directory.groups_of(found.account, found.name)
                named = [self._directory.group(found.account, name) for name in groups]
                return principal_of_user(user, named).identities
            if found.kind in {arns.Kind.ROLE, arns.Kind.FEDERATED_USER}:
                return frozenset(everybody)
        except (UsageError, NotFound):
            pass
        return frozenset({identifier})

    def _is_there(self, found: arns.Identifier, identifier: str) -> bool:
        match found.kind:
            case arns.Kind.USER:
                self._directory.user(found.account, found.name)
            case arns.Kind.ROLE:
                self._directory.role(found.account, found.name)
            case arns.Kind.GROUP:
                self._directory.group(found.account, found.name)
            case arns.Kind.ACCOUNT | arns.Kind.IAM_PRINCIPALS:
                self._directory.account(found.account)
            case arns.Kind.FEDERATED_USER | arns.Kind.FEDERATED_GROUP:
                names = {issuer.name for issuer in self._issuers.issuers(found.account)}
                return found.provider in names
            case arns.Kind.ORGANISATION | arns.Kind.ORGANISATIONAL_UNIT:
                return any(identifier in _of(one) for one in self._directory.accounts())
            case _:
                return False
        return True


def _of(account: Account) -> set[str]:
    return {account.organisation, *account.units}
