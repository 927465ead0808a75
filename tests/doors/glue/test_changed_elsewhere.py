"""What another process changes holds at the very next request, whatever is kept in memory here."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.doors.glue.asking import publish
from tests.doors.glue.conftest import Client
from tests.doors.lakeformation.asking import code
from tests.flows.lakes import ANA, World

_CHANGE = """
import sys
from lakeveil.adapters.database import open_database
from lakeveil.adapters.lake import open_lake
from lakeveil.core.access.guards import NameGuard
from lakeveil.core.access.lake import LakeSettings
from lakeveil.ports.lake import Assignment, Place
with open_lake(open_database(sys.argv[1])).changing() as change:
    policy = change.policy()
    home = "{home}"
    SPEND = Place(home, "ads", "events", "spend")
    {statement}
"""
ASKED = {"DatabaseName": "ads", "Name": "events"}


def elsewhere(lake: World, statement: str) -> None:
    """Run one statement over `change` in a process of its own."""
    url = lake.engine.url.render_as_string(hide_password=False)
    script = _CHANGE.format(home=ANA.account, statement=statement)
    subprocess.run([sys.executable, "-c", script, url], check=True, timeout=60)


def columns(client: Client) -> list[str]:
    """The columns that Ana is shown, by GetTable and by GetTables alike."""
    asking = client(ANA)
    one = asking.get_table(**ASKED)["Table"]
    (same,) = asking.get_tables(DatabaseName="ads", Expression="events")["TableList"]
    assert one["StorageDescriptor"]["Columns"] == same["StorageDescriptor"]["Columns"]
    return [column["Name"] for column in one["StorageDescriptor"]["Columns"]]


@pytest.mark.parametrize(
    "statement",
    [
        "for grant in policy.grants: change.remove_grant(grant.id)",
        "for one in change.locations(home): change.remove_location(home, one.location)",
        'change.unassign(Place(home, "ads"), "class")',
        'change.remove_tag(home, "class")',
    ],
    ids=["grants", "locations", "the tag of the database", "the ontology"],
)
def test_a_table_that_was_closed_in_another_process_is_not_there_at_the_next_request(
    lake: World, client: Client, statement: str
) -> None:
    publish(lake, "events")
    assert columns(client) == columns(client) != []

    elsewhere(lake, statement)

    assert code(client(ANA).get_table, **ASKED) == "EntityNotFoundException"


@pytest.mark.parametrize(
    "statement",
    [
        'change.assign(Assignment(place=SPEND, key="class", value="private"))',
        'change.put_settings(home, LakeSettings(guards=frozenset({NameGuard("spe*", "class")})))',
    ],
    ids=["its tag", "a name guard"],
)
def test_a_column_that_was_closed_in_another_process_is_hidden_at_the_next_request(
    lake: World, client: Client, statement: str
) -> None:
    publish(lake, "events")
    before = columns(client)
    assert "spend" in before

    elsewhere(lake, statement)

    assert columns(client) == [name for name in before if name != "spend"]
