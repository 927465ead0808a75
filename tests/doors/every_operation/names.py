"""What everything in a lake is called: plain words, or words that occur nowhere else.

With words of their own, whatever an answer tells can be traced to what it tells of.
"""

from __future__ import annotations

import random
import string
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from lakeveil.core.identity import arns

STORE_REGION = "us-east-1"
HOME, ELSEWHERE = "123456789012", "210987654321"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of one lake, all in lower case."""

    bucket: str = "lake"
    prefix: str = "shop"
    database: str = "shop"
    closed_database: str = "payroll"
    table: str = "orders"
    closed_table: str = "refunds"
    sealed_table: str = "parcels"
    iceberg_table: str = "clicks"
    doomed_table: str = "drafts"
    shown: str = "amount"
    hidden: str = "card_number"
    key: str = "region"
    closed_key: str = "courier"
    comment: str = "what it says"
    closed_comment: str = "never to be told"
    description: str = "orders of the shop"
    closed_description: str = "who gave what back"
    parameter: str = "team"
    parameter_value: str = "sales"
    resource_tag: str = "costs"
    resource_tag_value: str = "marketing"
    tag: str = "class"
    open_value: str = "public"
    closed_value: str = "private"
    closed_tag: str = "legal"
    closed_tag_value: str = "hold"
    expression: str = "shown"
    expression_description: str = "what everybody sees"
    cells: str = "some_rows"
    cell_literal: str = "nl"
    value: str = "eu"
    other_value: str = "us"
    closed_values: str = "dhl"
    reason: str = "to count"
    other_reason: str = "not now"
    guard: str = "card_"
    mask_text: str = "withheld"
    session: str = "monday"
    workgroup: str = "growth"
    workgroup_description: str = "who asks how it grows"
    cost_tag: str = "budget"
    cost_tag_value: str = "summer"
    saved_query: str = "daily_orders"
    statement: str = "orders_of"
    lending_role: str = "register_role"
    role: str = "bu-a"
    admin: str = "ada"
    reader: str = "rita"
    owner: str = "dave"
    analyst: str = "ana"
    other: str = "bob"
    engine: str = "trino"
    stranger: str = "sam"
    powerless: str = "paul"
    foreigner: str = "eve"

    @classmethod
    def of_words(cls, seed: int, *, but: Names | None = None, keep: Iterable[str] = ()) -> Names:
        """Words that nothing else has; those that `keep` names are as they are in `but`."""
        chance = random.Random(seed)
        words = {
            one.name: "".join(chance.choices(string.ascii_lowercase, k=14)) for one in fields(cls)
        }
        kept = {name: getattr(but, name) for name in keep} if but else {}
        return replace(cls(**words), **kept)

    def words(self) -> dict[str, str]:
        """Each name by what it is the name of."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def arn(self, who: str) -> str:
        """The ARN of somebody, by what they are here: `admin`, `analyst` and so on."""
        account = ELSEWHERE if who == "foreigner" else HOME
        return arns.user_arn(account, getattr(self, who))

    @property
    def role_arn(self) -> str:
        """The role that the analyst may become."""
        return arns.role_arn(HOME, self.role)

    @property
    def location(self) -> str:
        """Where all data lies."""
        return f"s3://{self.bucket}/{self.prefix}"

    @property
    def location_arn(self) -> str:
        """The same as Lake Formation writes it."""
        return f"arn:aws:s3:::{self.bucket}/{self.prefix}"

    @property
    def database_arn(self) -> str:
        """The database as Glue's tags name it."""
        return f"arn:aws:glue:eu-central-1:{HOME}:database/{self.database}"

    @property
    def workgroup_arn(self) -> str:
        """The workgroup as Athena's tags and policies name it."""
        return f"arn:aws:athena:{STORE_REGION}:{HOME}:workgroup/{self.workgroup}"

    def table_arn(self, table: str) -> str:
        """A table of the database."""
        return f"arn:aws:glue:eu-central-1:{HOME}:table/{self.database}/{table}"


USERS = (
    "admin",
    "reader",
    "owner",
    "analyst",
    "other",
    "engine",
    "stranger",
    "powerless",
    "foreigner",
)
"""Everybody there is. All but the powerless may call everything."""
