"""What holds for every operation: who gets in, what is served, and the AWS CLI."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from lakeveil.aws.lakeformation.service import CHANGES, READS, lakeformation
from lakeveil.aws.protocol import load_model
from lakeveil.core.identity.rights import Effect, Rights, Statement
from tests.doors.lakeformation.asking import code, named, refusal
from tests.doors.lakeformation.conftest import Client, key_of
from tests.doors.running import SECRET, Door, doors, serving
from tests.doors.test_clients import aws
from tests.flows.lakes import ADMIN, ANA, World


def test_an_operation_either_reads_or_changes() -> None:
    assert not CHANGES.keys() & READS.keys()
    assert len(CHANGES) + len(READS) == 37


@pytest.mark.parametrize("name", sorted(READS))
def test_what_only_reads_is_named_so(name: str) -> None:
    assert name.startswith(("Get", "List", "Describe", "Search"))


def test_the_rest_is_not_supported(client: Client) -> None:
    model = load_model("lakeformation")
    assert set(CHANGES) | set(READS) < set(model.operation_names)

    answer = refusal(client(ADMIN).list_lake_formation_opt_ins)

    assert answer[0] == "UnknownOperationException"
    assert "ListLakeFormationOptIns is not supported" in answer[1]


def test_without_the_right_to_call_nothing_runs(lake: World) -> None:
    only_looks = Rights(
        statements=(
            Statement(
                effect=Effect.ALLOW,
                actions=("lakeformation:List*", "lakeformation:Get*"),
                resources=("*",),
            ),
        )
    )
    limited = replace(ADMIN, rights=only_looks)
    service = lakeformation(
        lake=lake.desk.lake,
        who=lambda _caller: limited,
        audit=lake.desk.audit,
        directory=lake.desk.directory,
        clock=lake.clock,
    )
    with serving(doors(secrets={key_of(ADMIN): SECRET}, services=(service,))) as running:
        lf = running.boto3(key_of(ADMIN), SECRET, service="lakeformation")

        assert lf.list_lf_tags()["LFTags"] == []
        denied = refusal(lf.create_lf_tag, TagKey="k", TagValues=["v"])

    assert denied[::2] == ("AccessDeniedException", 403)
    assert "is not authorized to perform: lakeformation:CreateLFTag" in denied[1]
    assert lake.desk.lake.policy().tags == {}


def test_a_key_that_is_no_longer_good_is_refused(served: Door) -> None:
    stranger = served.boto3("LVTESTSTRANGER", SECRET, service="lakeformation")

    assert code(stranger.get_data_lake_principal) == "AccessDeniedException"


def test_a_call_and_its_outcome_are_on_record_with_the_key(lake: World, client: Client) -> None:
    lf = client(ADMIN)
    answer = lf.create_lf_tag(TagKey="k", TagValues=["v"])
    with pytest.raises(ClientError):
        client(ANA).create_lf_tag(TagKey="x", TagValues=["v"])

    records = [entry.record for entry in lake.trail.entries() if entry.record]
    events = [r.event for r in records if r.event.action == "lakeformation:CreateLFTag"]
    assert {(e.access_key, e.outcome.value) for e in events} == {
        (key_of(ADMIN), "allowed"),
        (key_of(ADMIN), "done"),
        (key_of(ANA), "allowed"),
        (key_of(ANA), "refused"),
    }
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert [e.request_id for e in events].count(request_id) == 2


def test_the_aws_cli_sets_up_and_asks(served: Door, lake: World, tmp_path: Path) -> None:
    def run(who: object, *arguments: str) -> str:
        done = aws(
            tmp_path,
            "lakeformation",
            *arguments,
            "--endpoint-url",
            served.url,
            AWS_ACCESS_KEY_ID=key_of(who),  # type: ignore[arg-type]
            AWS_SECRET_ACCESS_KEY=SECRET,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(
        ADMIN,
        "grant-permissions",
        "--principal",
        f"DataLakePrincipalIdentifier={ANA.arn}",
        "--permissions",
        "SELECT",
        "--resource",
        '{"TableWithColumns": {"DatabaseName": "ads", "Name": "events", "ColumnNames": ["id"]}}',
    )
    told = json.loads(run(ANA, "list-permissions"))

    assert lake.sees(ANA) == ["id"]
    [entry] = told["PrincipalResourcePermissions"]
    assert entry["Principal"] == named(ANA.arn)
