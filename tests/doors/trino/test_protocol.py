"""The protocol by hand: addresses, documents, refusals, cancelling, and being forgotten."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from lakeveil.core.query.execution import QueryExecution, QueryState
from lakeveil.errors import UsageError
from lakeveil.flows.change_access import Call
from lakeveil.flows.look_at_queries import read_result
from tests.doors.trino.running_queries import Served

ACCOUNT = "123456789012"
SLOW = "SELECT count(*) FROM many a CROSS JOIN many b WHERE (a.n * b.n) % 7 = 3"


def record(served: Served, query_id: str) -> QueryExecution:
    """A query as it is on record."""
    found = served.desk.log.get(ACCOUNT, query_id)
    assert found is not None
    return found


def ended(served: Served, query_id: str) -> QueryState:
    """The state in which a query ends, waited for."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        state = record(served, query_id).state
        if state.over:
            return state
        time.sleep(0.02)
    raise AssertionError


def test_the_first_answer_names_the_next(served: Served) -> None:
    answer = served.post("SELECT 1 AS one")
    assert answer.status_code == 200
    document = answer.json()
    assert document["stats"]["state"] == "QUEUED"
    assert document["nextUri"].startswith(f"{served.url}/v1/statement/queued/{document['id']}/")
    assert document["infoUri"] == f"{served.url}/v1/query/{document['id']}"
    assert "data" not in document
    last = served.last(answer)
    assert last["stats"]["state"] == "FINISHED"
    assert last["columns"] == [
        {"name": "one", "type": "integer", "typeSignature": {"rawType": "integer", "arguments": []}}
    ]
    assert last["data"] == [[1]]


def test_a_page_that_is_asked_for_again_is_the_same(served: Served) -> None:
    document = served.post("SELECT n FROM many ORDER BY n").json()
    while "data" not in document:
        document = served.get(document["nextUri"]).json()
    again = served.get(document["nextUri"]).json()
    assert again["data"][0] == [len(document["data"])]
    assert served.get(document["nextUri"]).json() == again


def test_pages_are_compressed_for_who_takes_that(served: Served) -> None:
    document = served.post("SELECT n FROM many ORDER BY n").json()
    address = ""
    while "data" not in document:
        address = document["nextUri"]
        document = served.get(address).json()
    assert served.get(address, **{"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
    plain = served.get(address, **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == document


def test_an_error_has_its_name_number_kind_and_place(served: Served) -> None:
    last = served.last(served.post("SELECT id,\n  missing FROM events"))
    error = last["error"]
    assert last["stats"]["state"] == "FAILED"
    assert (error["errorName"], error["errorCode"]) == ("COLUMN_NOT_FOUND", 47)
    assert error["errorType"] == "USER_ERROR"
    assert error["errorLocation"] == {"lineNumber": 2, "columnNumber": 3}
    assert error["message"].startswith("line 2:3: ")


def test_nobody_else_sees_a_query_or_its_rows(served: Served) -> None:
    answer = served.post("SELECT id FROM events")
    address = answer.json()["nextUri"]
    served.last(answer)
    for who in ("bob", "admin"):
        assert served.get(address, who).status_code == 404
        assert served.get(answer.json()["infoUri"], who).status_code == 404
        headers = {"Authorization": served.authorization(who)}
        assert httpx.delete(address, headers=headers).status_code == 404
    assert served.get(address, Authorization="").status_code == 401


def test_an_address_with_another_slug_is_nothing(served: Served) -> None:
    first, second = (served.post("SELECT 1").json()["nextUri"] for _ in range(2))
    slug = second.split("/")[-2]
    parts = first.split("/")
    parts[-2] = slug
    assert served.get("/".join(parts)).status_code == 404
    parts[-2] = "0" * 32
    assert served.get("/".join(parts)).status_code == 404


def test_a_place_where_no_row_begins_is_refused(served: Served) -> None:
    answer = served.post("SELECT n FROM many ORDER BY n")
    served.last(answer)
    address = answer.json()["nextUri"].rpartition("/")[0]
    beyond = served.get(f"{address}/99999999999").json()
    assert beyond["error"]["errorType"] == "USER_ERROR"
    assert "data" not in beyond


def test_delete_stops_a_query(served: Served) -> None:
    document = served.post(SLOW).json()
    headers = {"Authorization": served.authorization("ana")}
    assert httpx.delete(document["nextUri"], headers=headers).status_code == 204
    assert ended(served, document["id"]) is QueryState.CANCELLED
    last = served.get(document["nextUri"]).json()
    assert last["error"]["errorName"] == "USER_CANCELED"
    assert "nextUri" not in last


def test_an_answer_is_waited_for_a_second_at_most(served: Served) -> None:
    document = served.post(SLOW).json()
    began = time.monotonic()
    next_one = served.get(document["nextUri"] + "?maxWait=200ms").json()
    assert 0.15 < time.monotonic() - began < 1.0
    assert next_one["stats"]["state"] in {"QUEUED", "RUNNING"}
    began = time.monotonic()
    served.get(next_one["nextUri"] + "?maxWait=90s")
    assert time.monotonic() - began < 2.0
    headers = {"Authorization": served.authorization("ana")}
    assert httpx.head(next_one["nextUri"], headers=headers).status_code == 200
    assert httpx.delete(document["infoUri"], headers=headers).status_code == 204
    assert ended(served, document["id"]) is QueryState.CANCELLED


def test_a_query_whose_client_is_gone_is_cancelled(served: Served) -> None:
    document = served.post(SLOW).json()
    served.identity.clock.sleep(299)
    time.sleep(0.2)
    assert not record(served, document["id"]).state.over
    served.identity.clock.sleep(2)
    assert ended(served, document["id"]) is QueryState.CANCELLED


def test_prepared_statements_are_carried_by_the_client(served: Served) -> None:
    answer = served.post("PREPARE one FROM SELECT id FROM events WHERE id = ?")
    assert answer.json()["updateType"] == "PREPARE"
    added = answer.headers["x-trino-added-prepare"]
    assert added == "one=SELECT+id+FROM+events+WHERE+id+%3D+%3F"
    given = {"X_Trino_Prepared_Statement": added}
    last = served.last(served.post("EXECUTE one USING 2", **given))
    assert last["data"] == [[2]]
    wrong = served.last(served.post("EXECUTE one USING 2, 3", **given))
    assert wrong["error"]["errorName"] == "INVALID_PARAMETER_USAGE"
    injected = served.post("EXECUTE one USING (SELECT 1)", **given).json()
    assert injected["error"]["errorName"] == "INVALID_PARAMETER_USAGE"
    gone = served.post("DEALLOCATE PREPARE one", **given)
    assert gone.headers["x-trino-deallocated-prepare"] == "one"


@pytest.mark.parametrize("sql", ["", "SELECT 1; SELECT 2", "SELECT 'x", "DROP EVERYTHING", "\0"])
def test_what_is_no_statement_fails_in_a_document(served: Served, sql: str) -> None:
    last = served.last(served.post(sql))
    assert last["error"]["errorType"] == "USER_ERROR"


def test_bodies_that_are_too_large_or_no_text_are_not_taken(served: Served) -> None:
    headers = {"Authorization": served.authorization("ana")}
    url = f"{served.url}/v1/statement"
    assert httpx.post(url, content=b"x" * (2**20 + 1), headers=headers).status_code == 413
    assert httpx.post(url, content=b"\xff\xfe", headers=headers).status_code == 400


def test_other_addresses_and_methods_are_nothing(served: Served) -> None:
    headers = {"Authorization": served.authorization("ana")}

    def status(method: str, path: str) -> int:
        return httpx.request(method, f"{served.url}{path}", headers=headers).status_code

    assert status("GET", "/v1/statement") == 405
    assert status("POST", "/v1/info") == 405
    assert status("GET", "/v1/statement/executing/x/y/0") == 404
    assert status("GET", "/v1/query/../info") in {200, 404}
    assert status("GET", "/v1/query/00000000-0000-0000-0000-000000000000") == 404


def test_anybody_may_ask_which_server_this_is(served: Served) -> None:
    document = httpx.get(f"{served.url}/v1/info").json()
    assert document["nodeVersion"] == {"version": "1.2.3"}
    assert document["coordinator"] is True
    assert document["starting"] is False


def test_a_query_is_told_in_short_to_its_principal(served: Served) -> None:
    answer = served.post("SELECT count(*) FROM many")
    served.last(answer)
    document: dict[str, Any] = served.get(answer.json()["infoUri"]).json()
    assert document["state"] == "FINISHED"
    assert document["query"] == "SELECT count(*) FROM many"
    assert document["session"]["schema"] == "ads"


def test_a_host_that_is_not_ours_gets_nothing(served: Served) -> None:
    answer = served.get(f"{served.url}/v1/info", Host="evil.example")
    assert answer.status_code == 421


def test_typed_results_lie_on_the_store_as_json_lines(served: Served) -> None:
    answer = served.post(
        "SELECT id, tags FROM events ORDER BY id", X_Trino_Client_Tags="workgroup=bu-a"
    )
    served.last(answer)
    location = record(served, answer.json()["id"]).output
    assert location == f"s3://lake-results/bu-a/{answer.json()['id']}.jsonl"
    lines, end = served.desk.results.page(location, start=0, limit=10)
    assert [json.loads(line or "") for (line,) in lines] == [[1, ["a, b", None, "null"]], [2, None]]
    assert end is None


def test_typed_rows_are_not_read_as_csv(served: Served) -> None:
    answer = served.post("SELECT id FROM events")
    served.last(answer)
    key = served.keys["ana"].access_key_id
    who = served.identity.store.callers.principal_of(key)
    call = Call(who=who, action="athena:GetQueryResults", access_key=key)
    with pytest.raises(UsageError, match="is no CSV"):
        read_result(answer.json()["id"], start=0, limit=10, call=call, desk=served.desk)
