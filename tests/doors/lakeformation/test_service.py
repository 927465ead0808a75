"""What holds for every operation: who gets in, what is served, and the AWS CLI."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from lakeveil.aws.lakeformation.service import CHANGES, READS, lakeformation
from lakeveil.aws.protocol import AwsError, load_model
from lakeveil.aws.sigv4 import Caller
from lakeveil.core.audit import AuditEvent
from lakeveil.core.identity.rights import Effect, Rights, Statement
from lakeveil.flows.refusals import MOST_A_MINUTE
from tests.doors.lakeformation.asking import code, named, refusal
from tests.doors.lakeformation.conftest import Client, key_of
from tests.doors.running import SECRET, Door, doors, serving
from tests.doors.test_clients import aws
from tests.flows.lakes import ADMIN, ANA, World

TAGGED = {"TagKey": "k", "TagValues": ["v"]}


def events(lake: World) -> list[AuditEvent]:
    """What is on record of calls of this service."""
    found = [entry.record.event for entry in lake.trail.entries() if entry.record]
    return [event for event in found if event.action.startswith("lakeformation:")]


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
        assert code(lf.search_tables_by_lf_tags, Expression=[TAGGED]) == "AccessDeniedException"

    assert denied[::2] == ("AccessDeniedException", 403)
    assert "is not authorized to perform: lakeformation:CreateLFTag" in denied[1]
    assert lake.desk.lake.policy().tags == {}
    # What was refused to change is on record, what was refused to read is not.
    [event] = events(lake)
    assert (event.action, event.error_code) == ("lakeformation:CreateLFTag", "no_right_to_call")
    assert (event.access_key, event.source_ip) == (key_of(ADMIN), "127.0.0.1")
    assert event.resource.endswith(f":catalog:{ADMIN.account}")


def test_a_key_that_is_no_longer_good_is_refused(served: Door) -> None:
    stranger = served.boto3("LVTESTSTRANGER", SECRET, service="lakeformation")

    assert code(stranger.get_data_lake_principal) == "AccessDeniedException"


def test_a_call_and_its_outcome_are_on_record_with_the_key(lake: World, client: Client) -> None:
    lf = client(ADMIN)
    answer = lf.create_lf_tag(TagKey="k", TagValues=["v"])
    with pytest.raises(ClientError):
        client(ANA).create_lf_tag(TagKey="x", TagValues=["v"])

    made = events(lake)
    assert {(e.access_key, e.outcome.value) for e in made} == {
        (key_of(ADMIN), "allowed"),
        (key_of(ADMIN), "done"),
        (key_of(ANA), "allowed"),
        (key_of(ANA), "refused"),
    }
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert [e.request_id for e in made].count(request_id) == 2
    assert {e.source_ip for e in made} == {"127.0.0.1"}


def test_malformed_calls_leave_no_record(client: Client, lake: World) -> None:
    wrong = {"ResourceArn": "nowhere", "UseServiceLinkedRole": True}
    assert code(client(ADMIN).register_resource, **wrong) == "InvalidInputException"
    assert events(lake) == []


def test_who_is_refused_at_the_gate_again_and_again_fills_no_log(lake: World) -> None:
    limited = replace(ADMIN, rights=Rights())
    service = lakeformation(
        lake=lake.desk.lake,
        who=lambda _caller: limited,
        audit=lake.desk.audit,
        directory=lake.desk.directory,
        clock=lake.clock,
    )
    assert service.gate is not None
    for _ in range(300):
        with pytest.raises(AwsError):
            service.gate(Caller(key_of(ADMIN), region="eu-central-1"), "CreateLFTag", {})
    details = [event.detail for event in events(lake)]
    assert len(details) == MOST_A_MINUTE + 3
    assert {"refusals_this_minute": MOST_A_MINUTE + 100} in details


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
