"""Records have one form, and whatever is done to a chain without its key is found and named."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.audit import (
    MAX_RECORD_BYTES,
    AuditEvent,
    AuditId,
    AuditOutcome,
    AuditRecord,
    Json,
    RecordKind,
    canonical,
    from_json,
    index_columns,
    searchable,
    to_json,
)
from lakeveil.core.audit_chain import (
    FIRST,
    Head,
    Problem,
    StoredHead,
    StoredRecord,
    chain_hash,
    head_seal,
    is_sealed,
    record_seal,
    verify_anchor,
    verify_head,
    verify_run,
)
from lakeveil.errors import UsageError

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
BEGINNING = Head(writer="web")


def event(**more: Any) -> AuditEvent:
    return AuditEvent(
        **{
            "principal": "arn:aws:iam::123456789012:user/ana",
            "action": "glue:GetTable",
            "resource": "arn:aws:glue:eu-west-1:123456789012:table/ads/clicks",
            "outcome": AuditOutcome.DONE,
            **more,
        }
    )


def record(sequence: int = 1, **more: Any) -> AuditRecord:
    return AuditRecord(
        id=AuditId(f"{sequence:032x}"),
        writer="web",
        sequence=sequence,
        at=1_700_000_000.5,
        kind=RecordKind.EVENT,
        event=event(**more),
    )


def stored(one: AuditRecord, previous: str, key: bytes = KEY) -> StoredRecord:
    text = to_json(one)
    hashed = chain_hash(previous, text)
    return StoredRecord(
        writer=one.writer,
        sequence=one.sequence,
        id=one.id,
        columns=index_columns(one),
        text=text,
        hash=hashed,
        seal=record_seal(key, hashed),
    )


def chain(count: int, key: bytes = KEY, *, resource: str = "table") -> list[StoredRecord]:
    rows: list[StoredRecord] = []
    for n in range(1, count + 1):
        one = record(n, resource=f"{resource} {n}")
        rows.append(stored(one, rows[-1].hash if rows else FIRST, key))
    return rows


def head_of(rows: list[StoredRecord], key: bytes = KEY) -> StoredHead:
    head = Head(writer="web", count=len(rows), hash=rows[-1].hash if rows else FIRST)
    return StoredHead(head=head, seal=head_seal(key, head))


def first_problem(rows: list[StoredRecord], head: StoredHead | None) -> tuple[Problem, int] | None:
    run = verify_run(BEGINNING, rows, KEY)
    finding = run.finding or verify_head(run.reached, head, KEY)
    return None if finding is None else (finding.problem, finding.sequence)


# --- records ----------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters())
)


def mappings(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.text(), inner, max_size=3)


documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | mappings(inner), max_leaves=8
)
events = st.builds(
    AuditEvent,
    principal=st.text(min_size=1),
    action=st.text(min_size=1),
    outcome=st.sampled_from(AuditOutcome),
    resource=st.text(st.characters()),
    grants=st.lists(st.text(), max_size=3).map(tuple),
    decision=mappings(documents),
    before=documents,
    after=documents,
    rows=st.none() | st.integers(min_value=0),
    size_bytes=st.none() | st.integers(min_value=0),
    detail=mappings(documents),
)


@given(events)
def test_a_record_comes_back_as_it_was_written_and_has_one_text(said: AuditEvent) -> None:
    one = replace(record(), event=said)
    text = to_json(one)
    assert text.isascii()
    assert from_json(text) == one
    assert to_json(from_json(text)) == text


@given(mappings(documents))
def test_the_order_of_keys_does_not_matter(document: dict[str, Any]) -> None:
    turned = dict(reversed(document.items()))
    assert canonical(turned) == canonical(document)


@given(st.text(st.characters()))
def test_what_is_searched_by_can_be_kept_by_every_database(text: str) -> None:
    assert "\0" not in searchable(text)
    searchable(text).encode("utf-8")


def test_no_rows_is_something_else_than_nobody_counted() -> None:
    assert '"rows":0' in to_json(record(rows=0))
    assert "rows" not in to_json(record())


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, b"bytes", {1: "a key that is no text"}, {"a set"}, object(), 1 + 2j],
)
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(UsageError) as refused:
        to_json(record(detail={"it": value}))
    assert refused.value.code == "audit_unwritable"


def test_a_refusal_does_not_quote_what_it_refuses() -> None:
    with pytest.raises(UsageError) as refused:
        to_json(record(detail={"it": b"secret"}))
    assert "secret" not in json.dumps(refused.value.as_dict())


def test_what_is_too_deep_or_too_long_is_refused() -> None:
    deep: Json = 1
    for _ in range(40):
        deep = [deep]
    for detail in ({"it": deep}, {"it": "x" * MAX_RECORD_BYTES}):
        with pytest.raises(UsageError):
            to_json(record(detail=detail))


def test_literals_in_clear_are_never_written() -> None:
    with pytest.raises(UsageError):
        to_json(record(sensitive={"literal": "ana@example.org"}))
    assert "ana@example.org" not in repr(event(sensitive={"literal": "ana@example.org"}))


@pytest.mark.parametrize("missing", ["principal", "action"])
def test_an_event_says_who_did_what(missing: str) -> None:
    with pytest.raises(UsageError, match=missing):
        event(**{missing: ""})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        to_json(record()).replace('"v":1', '"v":2'),
        to_json(record()).replace('"kind":"event"', '"kind":"rumour"'),
        to_json(record()).replace('{"', '{ "', 1),
        to_json(record()).replace('"v":1', '"v":1,"x":1'),
        to_json(record()).replace('"v":1', '"v":1,"sensitive":{"a":"b"}'),
        "[" * 100_000,
    ],
)
def test_what_is_not_a_record_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(text)


# --- the chain --------------------------------------------------------------------------


def test_an_untouched_chain_is_sound() -> None:
    rows = chain(5)
    assert first_problem(rows, head_of(rows)) is None
    assert first_problem([], head_of([])) is None


def test_a_run_is_verified_from_where_the_last_one_ended() -> None:
    rows = chain(5)
    first = verify_run(BEGINNING, rows[:2], KEY)
    second = verify_run(first.reached, rows[2:], KEY)
    assert [r.sequence for r in (*first.records, *second.records)] == [1, 2, 3, 4, 5]
    assert verify_head(second.reached, head_of(rows), KEY) is None


def test_a_changed_record_is_named() -> None:
    rows = chain(5)
    rows[2] = replace(rows[2], text=rows[2].text.replace("table 3", "table 9"))
    assert first_problem(rows, head_of(rows)) == (Problem.CHANGED, 3)


def test_a_text_that_is_no_record_any_more_is_named() -> None:
    rows = chain(3)
    rows[1] = replace(rows[1], text="not ascii: ü")
    assert first_problem(rows, head_of(rows)) == (Problem.CHANGED, 2)


def test_a_record_that_is_hidden_from_a_search_is_named() -> None:
    rows = chain(3)
    rows[1] = replace(rows[1], columns=rows[1].columns | {"principal": "somebody else"})
    assert first_problem(rows, head_of(rows)) == (Problem.CHANGED, 2)


def test_a_removed_record_is_named() -> None:
    rows = chain(5)
    assert first_problem(rows[:2] + rows[3:], head_of(rows)) == (Problem.MISSING, 3)


def test_records_cut_off_the_end_are_named() -> None:
    rows = chain(5)
    assert first_problem(rows[:3], head_of(rows)) == (Problem.MISSING, 4)
    assert first_problem([], head_of(rows)) == (Problem.MISSING, 1)


def test_a_removed_record_whose_place_was_taken_is_named() -> None:
    rows = chain(4)
    moved = [replace(r, sequence=r.sequence - 1) for r in rows[2:]]
    assert first_problem([rows[0], *moved], head_of(rows)) == (Problem.MOVED, 2)


def test_records_that_changed_places_are_named() -> None:
    rows = chain(4)
    rows[1], rows[2] = replace(rows[2], sequence=2), replace(rows[1], sequence=3)
    assert first_problem(rows, head_of(rows)) == (Problem.MOVED, 2)


def test_a_record_before_the_first_is_named() -> None:
    rows = chain(2)
    assert first_problem([replace(rows[0], sequence=0), *rows], head_of(rows)) == (
        Problem.INSERTED, 0,
    )  # fmt: skip


def test_a_chain_computed_anew_without_the_key_is_named_at_its_first_forged_record() -> None:
    rows = chain(5)
    forged = rows[:2]
    for n in range(3, 6):
        forged.append(stored(record(n, resource="nothing"), forged[-1].hash, OTHER_KEY))
    assert first_problem(forged, head_of(forged, OTHER_KEY)) == (Problem.FORGED, 3)


def test_seals_of_other_records_do_not_help_a_forger() -> None:
    rows = chain(3)
    forged = stored(record(3, resource="nothing"), rows[1].hash, OTHER_KEY)
    rows[2] = replace(forged, seal=rows[2].seal)
    assert first_problem(rows, head_of(rows)) == (Problem.FORGED, 3)


def test_a_shortened_head_without_the_key_is_named() -> None:
    rows = chain(5)
    assert first_problem(rows[:3], head_of(rows[:3], OTHER_KEY)) == (Problem.FORGED, 3)
    # The seal of the record at that place is known to who has the database.
    shortened = replace(head_of(rows[:3]), seal=rows[2].seal)
    assert first_problem(rows[:3], shortened) == (Problem.FORGED, 3)


def test_a_head_that_is_gone_or_older_than_the_records_is_named() -> None:
    rows = chain(5)
    assert first_problem(rows, None) == (Problem.MISSING, 0)
    assert first_problem(rows, head_of(rows[:3])) == (Problem.INSERTED, 4)


@pytest.mark.parametrize("seal", ["", "zz", "ü", "\ud800", "00" * 32])
def test_whatever_stands_in_place_of_a_seal_is_no_seal(seal: str) -> None:
    rows = chain(1)
    assert not is_sealed(replace(head_of(rows), seal=seal), KEY)
    assert first_problem([replace(rows[0], seal=seal)], head_of(rows)) == (Problem.FORGED, 1)
    changed = replace(rows[0], hash=seal)
    assert first_problem([changed], head_of(rows)) == (Problem.CHANGED, 1)


def test_an_old_head_with_its_records_is_found_by_what_was_exported_only() -> None:
    rows = chain(5)
    exported = head_of(rows).head
    assert first_problem(rows[:3], head_of(rows[:3])) is None
    missing = verify_anchor(exported, None)
    assert missing is not None
    assert (missing.problem, missing.sequence) == (Problem.NOT_AS_ANCHORED, 5)
    other = chain(5, resource="other")[4]
    assert verify_anchor(exported, other) is not None
    assert verify_anchor(exported, rows[4]) is None


@given(
    st.integers(min_value=2, max_value=6).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n - 1), max_size=n))
    ),
    st.data(),
)
def test_every_other_choice_and_order_of_records_is_found(
    drawn: tuple[int, list[int]], data: st.DataObject
) -> None:
    """Whoever has the rows, but not the key, may take any of them in any order, renumbered or not,
    with any head there ever was: only the whole chain, or a beginning with its own old head, pass.
    """
    count, picked = drawn
    rows = chain(count)
    tampered = [rows[i] for i in picked]
    if data.draw(st.booleans()):
        tampered = [replace(r, sequence=n) for n, r in enumerate(tampered, start=1)]
    head = head_of(rows[: data.draw(st.integers(0, count))])
    is_beginning = tampered == rows[: head.head.count]
    assert (first_problem(tampered, head) is None) == is_beginning
