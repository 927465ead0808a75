"""Values on the wire: what fits a model goes through unchanged, what does not is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import ServiceModel
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.aws.forms import Form, FormReader, Unserved
from lakeveil.aws.protocol import load_model
from lakeveil.aws.shapes import MAX_DEPTH, Misfit, from_wire, to_wire

MODEL = ServiceModel(
    {
        "metadata": {"protocol": "json"},
        "operations": {},
        "shapes": {
            "All": {
                "type": "structure",
                "required": ["Name"],
                "members": {
                    "Name": {"shape": "Name"},
                    "Kind": {"shape": "Kind"},
                    "Count": {"shape": "Count"},
                    "Share": {"shape": "Share"},
                    "Whether": {"shape": "Whether"},
                    "Data": {"shape": "Data"},
                    "When": {"shape": "When"},
                    "Names": {"shape": "Names"},
                    "Tags": {"shape": "Tags"},
                    "Inner": {"shape": "All"},
                    "Stamp": {"shape": "Stamp"},
                    "One": {"shape": "One"},
                    "Any": {"shape": "Any"},
                },
            },
            "Name": {"type": "string", "min": 1, "max": 8, "pattern": "[a-z]+"},
            "Text": {"type": "string"},
            "Kind": {"type": "string", "enum": ["ONE", "TWO"]},
            "Count": {"type": "integer", "min": 0, "max": 9},
            "Share": {"type": "double", "min": 0, "max": 1},
            "Whether": {"type": "boolean"},
            "Data": {"type": "blob", "min": 1},
            "When": {"type": "timestamp"},
            "Stamp": {"type": "timestamp", "timestampFormat": "iso8601"},
            "One": {
                "type": "structure",
                "union": True,
                "members": {"Text": {"shape": "Text"}, "Count": {"shape": "Count"}},
            },
            "Any": {"type": "structure", "members": {}, "document": True},
            "Names": {"type": "list", "member": {"shape": "Text"}, "max": 3},
            "Tags": {
                "type": "map",
                "key": {"shape": "Text"},
                "value": {"shape": "Count"},
                "max": 3,
            },
        },
    }
)
ALL: Form = FormReader().read(MODEL.shape_for("All"))

MEMBERS = {
    "Kind": st.sampled_from(["ONE", "TWO"]),
    "Count": st.integers(0, 9),
    "Share": st.floats(0, 1),
    "Whether": st.booleans(),
    "Data": st.binary(min_size=1, max_size=20),
    "When": st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - made aware below
        lambda t: t.replace(microsecond=0, tzinfo=UTC)
    ),
    "Names": st.lists(st.text(max_size=5), max_size=3),
    "Tags": st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3),
    "One": st.fixed_dictionaries({"Count": st.integers(0, 9)}),
}
NAMES = {"Name": st.text("abc", min_size=1, max_size=8)}
INNER = st.fixed_dictionaries(NAMES, optional=MEMBERS)
VALUES = st.fixed_dictionaries(NAMES, optional={**MEMBERS, "Inner": INNER})


@given(VALUES)
def test_what_fits_the_model_comes_back_unchanged(value: dict[str, Any]) -> None:
    wire = json.loads(json.dumps(to_wire(value, ALL), allow_nan=False))

    assert from_wire(wire, ALL) == value


MEMBER_NAMES = st.sampled_from(sorted(ALL.members))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(sorted(ALL.members)) | st.text(max_size=3), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_any_other_document_is_a_misfit_and_nothing_worse(document: Any) -> None:
    try:
        parsed = from_wire(document, ALL)
    except Misfit:
        return
    assert from_wire(to_wire(parsed, ALL), ALL) == parsed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"Name": ""}, "`Name` must have at least 1 characters."),
        ({"Name": "abcabcabc"}, "`Name` must have at most 8 characters."),
        ({"Name": "ABC"}, "`Name` must match [a-z]+"),
        ({"Name": "\ud800"}, "`Name` must be valid Unicode."),
        ({"Name": "abc\n"}, "`Name` must match [a-z]+"),
        ({"Name": 3}, "`Name` must be a string."),
        ({"Name": None}, "`Name` is missing."),
        ({"Kind": "one"}, "`Kind` must be one of ONE, TWO."),
        ({"Count": 10}, "`Count` must be at most 9."),
        ({"Count": -1}, "`Count` must be at least 0."),
        ({"Count": 1.5}, "`Count` must be a whole number."),
        ({"Count": True}, "`Count` must be a whole number."),
        ({"Share": float("nan")}, "`Share` must be a finite number."),
        ({"Share": 10**400}, "`Share` must be at most 1."),
        ({"Whether": 1}, "`Whether` must be true or false."),
        ({"Data": "A"}, "`Data` is not valid base64."),
        ({"Data": "!!!!"}, "`Data` is not valid base64."),
        ({"Data": ""}, "`Data` must hold at least 1 bytes."),
        ({"When": "soon"}, "`When` must be a time."),
        ({"When": 10**30}, "`When` must be a time."),
        ({"Names": ["a"] * 4}, "`Names` must have at most 3 entries."),
        ({"Names": ["a", 1]}, "`Names[1]` must be a string."),
        ({"Tags": {"a": 99}}, "`Tags.a` must be at most 9."),
        ({"Count": 2**31}, "`Count` must be at most 9."),
        ({"One": {}}, "`One` must have exactly one member."),
        ({"One": {"Text": "a", "Count": 1}}, "`One` must have exactly one member."),
        ({"Any": {"a": [float("nan")]}}, "`Any` must hold finite numbers."),
        ({"Any": {"\ud800": 1}}, "`Any` must be valid Unicode."),
        ({"Inner": {}}, "`Inner.Name` is missing."),
        ({"Inner": {"Name": "a", "Else": 1}}, "`Inner` has no member `Else`."),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], told: str) -> None:
    with pytest.raises(Misfit) as misfit:
        from_wire({"Name": "abc", **change}, ALL)

    assert str(misfit.value) == told


def test_a_misfit_never_repeats_the_value() -> None:
    with pytest.raises(Misfit) as misfit:
        from_wire({"Name": "SECRET"}, ALL)

    assert "SECRET" not in str(misfit.value)


@pytest.mark.parametrize(
    "value",
    [
        {"Else": 1},
        {"Name": None},
        {"Name": 3},
        {"Share": float("inf")},
        {"Share": True},
        {"Count": 1.5},
        {"Count": True},
        {"Whether": 1},
        {"Data": "text"},
        {"When": "soon"},
        {"When": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is what is wrong with it
        {"When": float("nan")},
        {"Names": "abc"},
        {"Names": ["a", None]},
        {"Tags": [("a", 1)]},
        {"Tags": {1: 1}},
        {"Inner": {}},
        {"Inner": {"Name": "a", "Else": None, "Other": 1}},
        {"One": {"Text": "a", "Count": 1}},
        {"One": {}},
        {"Any": {"a": {1}}},
        {"Any": [float("nan")]},
    ],
)
def test_an_answer_of_ours_that_does_not_fit_is_an_error(value: dict[str, Any]) -> None:
    assert to_wire({"Name": "a"}, ALL) == {"Name": "a"}
    with pytest.raises(Misfit):
        to_wire({"Name": "a", **value}, ALL)


def test_a_member_of_an_answer_that_is_none_is_left_out() -> None:
    inner = {"Name": "b", "Count": None}

    assert to_wire({"Name": "a", "Kind": None, "Inner": inner}, ALL) == {
        "Name": "a",
        "Inner": {"Name": "b"},
    }


def test_times_are_seconds_or_text_as_the_model_says() -> None:
    for moment in (datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC), 1_769_903_999.0, 1_769_903_999):
        assert to_wire({"Name": "a", "When": moment, "Stamp": moment}, ALL) == {
            "Name": "a",
            "When": 1_769_903_999,
            "Stamp": "2026-01-31T23:59:59Z",
        }


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"Name": "a"}
    for _ in range(levels):
        value = {"Name": "a", "Inner": value}
    return value


def test_a_model_that_holds_itself_is_followed_only_so_far() -> None:
    assert from_wire(nested(MAX_DEPTH - 2), ALL) == nested(MAX_DEPTH - 2)
    for value in (nested(MAX_DEPTH + 1), {"Name": "a", "Any": nested(MAX_DEPTH + 1)}):
        with pytest.raises(Misfit, match="nested too deeply"):
            from_wire(value, ALL)


def test_a_document_is_any_json() -> None:
    document = {"a": [1, 2.5, "x", None, True, {"b": {}}]}

    assert from_wire({"Name": "a", "Any": document}, ALL)["Any"] == document
    assert to_wire({"Name": "a", "Any": document}, ALL)["Any"] == document


def reads(shapes: dict[str, Any], operation: dict[str, Any] | None = None) -> None:
    model = ServiceModel(
        {
            "metadata": {"protocol": "json"},
            "operations": {
                "Do": {"name": "Do", "http": {}, "input": {"shape": "In"}, **(operation or {})}
            },
            "shapes": {"In": {"type": "structure", "members": {"M": {"shape": "M"}}}, **shapes},
        }
    )
    FormReader().operation(model.operation_model("Do"))


@pytest.mark.parametrize(
    "shapes",
    [
        {"M": {"type": "blob", "streaming": True}},
        {"M": {"type": "string", "jsonvalue": True}},
        {"M": {"type": "timestamp", "timestampFormat": "rfc822"}},
        {"M": {"type": "list", "flattened": True, "member": {"shape": "In"}}},
        {"M": {"type": "string", "pattern": "[a[b]]"}},
        {
            "In": {"type": "structure", "members": {"M": {"shape": "M", "location": "header"}}},
            "M": {"type": "string"},
        },
        {
            "In": {"type": "structure", "members": {"M": {"shape": "M"}}, "payload": "M"},
            "M": {"type": "string"},
        },
    ],
)
def test_a_model_that_needs_more_than_is_implemented_is_refused(shapes: dict[str, Any]) -> None:
    reads({"M": {"type": "string"}})
    with pytest.raises(ValueError, match=r"needs|not known"):
        reads(shapes)


def test_every_operation_of_json_services_has_forms() -> None:
    """So that none is refused on the day it is implemented; but for some that stream."""
    for name in ("athena", "glue", "lakeformation", "sts"):
        model, reader = load_model(name), FormReader()
        refused = set()
        for operation in model.operation_names:
            try:
                reader.operation(model.operation_model(operation))
            except Unserved:
                refused.add(operation)
        assert refused <= {"GetWorkUnitResults"}
