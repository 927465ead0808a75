"""Values on the wire: what fits a model goes through unchanged, what does not is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import ServiceModel, Shape
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.aws.shapes import Misfit, from_wire, to_wire

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
ALL: Shape = MODEL.shape_for("All")

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


@pytest.mark.parametrize("value", [{"Else": 1}, {"Share": float("inf")}])
def test_an_answer_of_ours_that_does_not_fit_is_an_error(value: dict[str, Any]) -> None:
    with pytest.raises(Misfit):
        to_wire(value, ALL)
