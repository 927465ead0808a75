"""Views: read with the rights of who asks, and never past a decision about the view itself."""

from __future__ import annotations

import pytest

from lakeveil.core.access.grants import (
    DataCellsFilter,
    OnColumns,
    OnDatabase,
    OnFilter,
    OnTable,
    TableName,
)
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import WITHHELD
from lakeveil.flows.asked_grants import Asked
from lakeveil.flows.change_grants import grant_masked
from tests.flows.lakes import ADMIN, BOB, HOME, OWNER
from tests.flows.statements.sql_world import SqlWorld

V = TableName(HOME, "ads", "v")


@pytest.fixture
def view(world: SqlWorld) -> SqlWorld:
    """`ads.v` of all of `ads.events`, which Bob may read whole; nothing of `v` is his yet."""
    world.done(OWNER, "CREATE VIEW v AS SELECT id, ip_address AS ip, spend FROM events")
    events = OnTable(HOME, "ads", "events")
    world.lake.grant(ADMIN, BOB.arn, events, Permission.SELECT, Permission.DESCRIBE)
    world.lake.grant(ADMIN, BOB.arn, OnDatabase(HOME, "ads"), Permission.DESCRIBE)
    return world


def rows_of(world: SqlWorld, *columns: str, rows: str | None) -> None:
    """Let Bob read these columns of the view in these rows."""
    name = f"f{len(columns)}"
    with world.lake.desk.lake.changing() as change:
        found = DataCellsFilter(table=V, name=name, named=frozenset(columns), rows=rows)
        change.put_filter(found)
    world.lake.grant(ADMIN, BOB.arn, OnFilter(HOME, "ads", "v", name), Permission.SELECT)


def test_columns_of_a_view_that_show_in_some_rows_only_are_not_there(view: SqlWorld) -> None:
    rows_of(view, "id", rows=None)
    rows_of(view, "ip", "spend", rows="id = 1")

    assert view.done(BOB, "SELECT * FROM v ORDER BY id") == ['"1"', '"2"', '"3"']
    for column in ("ip", "spend"):
        assert view.refused(BOB, f"SELECT {column} FROM v").startswith("COLUMN_NOT_FOUND")


def test_a_view_whose_rows_are_limited_cannot_be_read(view: SqlWorld) -> None:
    rows_of(view, "id", "ip", "spend", rows="id = 1")

    for sql in ("SELECT * FROM v", "SELECT count(*) FROM v", "SELECT ip FROM v WHERE id = 1"):
        assert view.refused(BOB, sql).startswith("PERMISSION_DENIED"), sql


def test_a_masked_column_of_a_view_is_not_there(view: SqlWorld) -> None:
    rows_of(view, "id", rows=None)
    masked = Asked(
        principal=BOB.arn,
        resource=OnColumns(HOME, "ads", "v", frozenset({"ip"})),
        permissions=frozenset({Permission.SELECT}),
    )
    grant_masked(masked, Mask(MaskKind.HASH), call=view.lake.call(ADMIN), desk=view.lake.desk)

    assert view.lake.sees(BOB, V) == ["id", "ip"]
    assert view.done(BOB, "SELECT * FROM v ORDER BY 1") == ['"1"', '"2"', '"3"']
    assert view.refused(BOB, "SELECT ip FROM v").startswith("COLUMN_NOT_FOUND")


def test_masks_and_rows_of_the_tables_below_hold_through_views_of_views(view: SqlWorld) -> None:
    view.done(OWNER, "CREATE VIEW w AS SELECT ip, spend FROM v WHERE spend > 10")
    for name in ("v", "w"):
        view.lake.grant(ADMIN, BOB.arn, OnTable(HOME, "ads", name), Permission.SELECT)
    assert view.done(BOB, "SELECT ip FROM w ORDER BY ip") == ['"10.0.0.2"', '"10.0.0.3"']

    grants = [
        g for g in view.lake.grants_to(BOB.arn) if g.resource == OnTable(HOME, "ads", "events")
    ]
    with view.lake.desk.lake.changing() as change:
        for grant in grants:
            change.remove_grant(grant.id)
        change.put_filter(
            DataCellsFilter(
                table=TableName(HOME, "ads", "events"),
                name="some",
                named=frozenset({"id", "ip_address", "spend"}),
                rows="id < 3",
            )
        )
    view.lake.grant(ADMIN, BOB.arn, OnFilter(HOME, "ads", "events", "some"), Permission.SELECT)

    assert view.done(BOB, "SELECT ip FROM w ORDER BY ip") == ['"10.0.0.2"']


def test_views_do_not_stand_in_each_other(view: SqlWorld) -> None:
    view.done(OWNER, "CREATE VIEW w AS SELECT id FROM v")

    circle = view.refused(OWNER, "CREATE OR REPLACE VIEW v AS SELECT id FROM w")

    assert circle.startswith("INVALID_VIEW")
    assert view.done(OWNER, "SELECT id FROM w ORDER BY id") == ['"1"', '"2"', '"3"']


def test_what_is_made_of_a_view_is_as_closed_as_the_view_and_its_tables(view: SqlWorld) -> None:
    view.tag("v", "spend", **{"class": "private"})
    for sql in ("CREATE VIEW made AS SELECT * FROM v", "CREATE TABLE copy AS SELECT * FROM v"):
        view.done(OWNER, sql)
        name = sql.split()[2]
        assert view.tags(name, "id") == {"class": "public"}
        assert view.tags(name, "ip") == {"class": "private"}
        # The view's tag and the table's differ.
        assert view.tags(name, "spend") == {"class": WITHHELD}


def test_what_is_made_of_the_catalog_itself_shows_by_no_tag(view: SqlWorld) -> None:
    view.done(OWNER, "CREATE TABLE names AS SELECT table_name FROM information_schema.tables")

    assert view.tags("names", "table_name") == {"class": WITHHELD}
