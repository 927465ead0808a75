"""Looking at name guards: which there are, and which columns each of them alone keeps closed.

They name columns that others may not know of, so they are for who views everything of the account.
"""

from __future__ import annotations

from dataclasses import dataclass

from lakeveil.core.access.explaining.askers import Asker, views
from lakeveil.core.access.guards import NameGuard
from lakeveil.errors import Refused
from lakeveil.flows.change_discovery import withheld_by
from lakeveil.ports.lake import Lake


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardShown:
    """A guard, and the columns that lifting it would let inherit: table and column."""

    guard: NameGuard
    closes: tuple[tuple[str, str], ...]


def name_guards(asker: Asker, account: str, *, lake: Lake) -> list[GuardShown]:
    """The guards of an account, in order of pattern and key.

    Raises:
        Refused: the asker neither administers nor views the account.
    """
    with lake.looking() as state:
        policy = state.policy()
        if not views(asker, account, policy):
            raise Refused(
                f"only an administrator of account {account} may look at its name guards",
                why="they name columns that others may not know of",
                fix="ask one; `aws lakeformation get-data-lake-settings` names them",
            )
        return [
            GuardShown(guard=one, closes=tuple(withheld_by(one, account=account, lake=state)))
            for one in sorted(policy.settings_of(account).guards)
        ]
