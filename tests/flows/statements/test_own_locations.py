"""Places that no registered location holds: only the caller's own rights speak of them."""

from __future__ import annotations

import pytest

from lakeveil.core.access.grants import OnDatabase
from lakeveil.core.access.permissions import Permission
from lakeveil.core.identity.rights import Rights
from lakeveil.errors import Refused
from lakeveil.flows.own_locations import allows_below, may_deny
from tests.flows.lakes import ADMIN, ANA, HOME
from tests.flows.statements.sql_world import SqlWorld, allowing

OUT = "arn:aws:s3:::out/ana/"


@pytest.fixture
def ana(world: SqlWorld) -> SqlWorld:
    """Ana has a table of her own beside her results."""
    world.sees(ANA, **{"class": "public"})
    world.lake.grant(ADMIN, ANA.arn, OnDatabase(HOME, "ads"), Permission.CREATE_TABLE)
    world.may(ANA, world.unit_rights(ANA))
    place = f"s3://{world.bucket}/results/ana/temp"
    world.done(ANA, f"CREATE TABLE t WITH (external_location = '{place}') AS SELECT id FROM events")
    return world


def test_who_lost_the_folder_reads_the_table_in_it_no_more(ana: SqlWorld) -> None:
    assert ana.done(ANA, "SELECT count(*) FROM t") == ['"3"']
    rights = ana.unit_rights(ANA)
    temp = f"arn:aws:s3:::{ana.bucket}/results/ana/temp/*"
    for lost in (
        allowing(deny=(("s3:GetObject", temp),)),
        allowing(deny=(("s3:Get*", f"arn:aws:s3:::{ana.bucket}/*.parquet"),)),
    ):
        ana.may(ANA, rights.joined([lost]))
        for sql in ("SELECT * FROM t", "SELECT e.id FROM events e JOIN t ON e.id = t.id"):
            assert ana.refused(ANA, sql).startswith("PERMISSION_DENIED: Access Denied"), sql
        assert ana.done(ANA, "SELECT count(*) FROM events") == ['"3"']
    ana.may(ANA, rights.limited_to(allowing(("s3:PutObject", "*"), ("athena:*", "*"))))
    assert ana.refused(ANA, "SELECT * FROM t").startswith("PERMISSION_DENIED")
    ana.may(ANA, rights)
    assert ana.done(ANA, "SELECT count(*) FROM t") == ['"3"']


def test_a_result_is_not_written_where_a_deny_could_match_it(ana: SqlWorld) -> None:
    rights = ana.unit_rights(ANA)
    place = f"arn:aws:s3:::{ana.bucket}/results"
    # What lies beside a result, such as its metadata, is written with it.
    for denied in (f"{place}/ana/*.metadata", f"{place}/a?a/secret/*"):
        ana.may(ANA, rights.joined([allowing(deny=(("s3:PutObject", denied),))]))
        with pytest.raises(Refused, match="Access denied when writing output"):
            ana.start(ANA, "SELECT 1")
    for other in (f"{place}/bob/*", f"{place}/ana", f"{place}/ana/exact.csv"):
        ana.may(ANA, rights.joined([allowing(deny=(("s3:PutObject", other),))]))
        assert ana.done(ANA, "SELECT 1") == ['"1"']


@pytest.mark.parametrize(
    ("denied", "may"),
    [
        ("*", True),
        ("arn:aws:s3:::out/*", True),
        ("arn:aws:s3:::out/ana*", True),
        ("arn:aws:s3:::out/ana/x", True),
        ("arn:aws:s3:::out/ana/deep/er/*", True),
        ("arn:aws:s3:::o?t/else/*", True),
        ("arn:aws:s3:::out/ana", False),
        ("arn:aws:s3:::out/anabel/*", False),
        ("arn:aws:s3:::other/*", False),
    ],
)
def test_a_deny_counts_if_it_could_match_anything_below(denied: str, may: bool) -> None:
    rights = allowing(("s3:*", "*"), deny=(("s3:Get*", denied),))
    assert may_deny(rights, "s3:GetObject", OUT) is may
    assert may_deny(rights, "s3:PutObject", OUT) is False
    session = Rights(statements=allowing(("*", "*")).statements, within=(rights,))
    assert may_deny(session, "s3:GetObject", OUT) is may
    assert allows_below(session, "s3:GetObject", "s3://out/ana", "new") is not may
