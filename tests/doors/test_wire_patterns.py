r"""Patterns of the models: read as Java reads them, or refused."""

from __future__ import annotations

import re
import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.aws.patterns import UnknownSyntax, compile_pattern, translate
from lakeveil.aws.protocol import load_model

SERVICES = ["athena", "glue", "lakeformation", "rekognition", "sts"]
LINE = r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*"
LINES = r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*"
TAG_KEY = r"^([\p{L}\p{Z}\p{N}_.:\/=+\-@%]*)$"

ANY = st.characters(exclude_categories=["Cs"])


def matches(pattern: str, value: str) -> bool:
    return compile_pattern(pattern).fullmatch(value) is not None


@pytest.mark.parametrize("service", SERVICES)
def test_every_pattern_of_the_models_is_understood(service: str) -> None:
    model = load_model(service)
    patterns = {
        shape.metadata["pattern"]
        for shape in map(model.shape_for, model.shape_names)
        if "pattern" in shape.metadata
    }

    assert len(patterns) > 5
    for pattern in patterns:
        compile_pattern(pattern)


@given(ANY)
def test_a_property_is_its_general_category(char: str) -> None:
    category = unicodedata.category(char)
    for name in ("L", "N", "P", "S", "Z", "M", "C", "Lu", "Nd"):
        assert matches(rf"\p{{{name}}}", char) == category.startswith(name)
        assert matches(rf"[\p{{{name}}}]", char) == category.startswith(name)
        assert matches(rf"[^\p{{{name}}}]", char) != category.startswith(name)


def test_the_ends_of_unicode_are_in_their_categories() -> None:
    for code in (0, 0x7F, 0x10FFFD, sys.maxunicode):
        category = unicodedata.category(chr(code))
        assert matches(rf"\p{{{category[0]}}}", chr(code))


@given(ANY)
def test_a_tag_is_made_of_letters_numbers_spaces_and_a_few_signs(char: str) -> None:
    expected = unicodedata.category(char)[0] in "LZN" or char in "_.:/=+-@%"

    assert matches(TAG_KEY, char) == expected
    assert matches(TAG_KEY, f"a{char}b") == expected


@given(ANY)
def test_a_pair_of_surrogates_is_one_character(char: str) -> None:
    code = ord(char)
    text = code >= 0x20 and code not in {0xFFFE, 0xFFFF}

    assert matches(LINE, char) == (text or char == "\t")
    assert matches(LINES, char) == (text or char in "\t\r\n")


@given(st.text(max_size=12))
def test_classes_of_characters_are_ascii(value: str) -> None:
    for java, exact in (
        (r"\d*", "[0-9]*"),
        (r"\w*", "[a-zA-Z0-9_]*"),
        (r"\s*", "[ \t\n\x0b\f\r]*"),
        (r"[\S\s]*", "[\0-\U0010ffff]*"),
    ):
        assert matches(java, value) == bool(re.fullmatch(exact, value))


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x85", "\u2028", "\u2029"])
def test_a_dot_is_no_end_of_a_line(end: str) -> None:
    assert matches("a.b", "a-b")
    assert not matches("a.b", f"a{end}b")
    assert not matches(".*", end)
    assert not matches("^a$", f"a{end}")


@pytest.mark.parametrize(
    ("pattern", "fits", "not_fitting"),
    [
        (r"[a-zA-Z0-9-_]+", "a-_", "a."),
        (r"[a-zA-Z0-9+-=._./@]+", "a+-=;9", "a*"),
        (r"[\w+=,.@:\/-]*", "a/b-", "a b"),
        (r"[^:*]*", "a\n", "a:"),
        (r"^(?!(.*[.\/\\]|aws:)).*$", "aw", "aws:a"),
        (r"(?!.*[/:\\])" + LINE, "a b", "a/b"),
        (
            r"^arn:aws(-(cn|us-gov|iso(-[bef])?))?:iam::[0-9]{12}:role/.+",
            f"arn:aws-iso-e:iam::{'1' * 12}:role/a",
            "arn:aws:iam::1:role/a",
        ),
        (r"[\u0009\u000A\u000D\u0020-\u00FF]+", "\u00ff\n", "\u0100"),
        (r"\x41{2,3}?", "AAA", "A"),
        (r"a\}\{\[\]", "a}{[]", "a"),
    ],
)
def test_notation_means_what_it_means_to_java(pattern: str, fits: str, not_fitting: str) -> None:
    assert matches(pattern, fits)
    assert not matches(pattern, not_fitting)


@given(st.text(st.sampled_from("a\x1c \t\v\f\n\r\x85\u2028\u2029"), max_size=8))
def test_a_pattern_that_is_told_in_another_way_means_the_same(value: str) -> None:
    slow = re.compile(translate(r".*\S.*"), re.ASCII)

    assert matches(r".*\S.*", value) == bool(slow.fullmatch(value))


@pytest.mark.parametrize(
    "pattern",
    [
        r"[a[bc]]",
        r"[a-z&&[^b]]",
        r"[a",
        r"[]a]",
        r"[z-a]",
        r"[a-\d]",
        r"\p{IsAlphabetic}",
        r"\p{Lower}",
        r"\P{L}",
        r"(?i)a",
        r"(?<name>a)",
        r"(?<!a)b",
        r"(a)\1",
        r"\bword",
        r"\Qa\E",
        r"a*+",
        r"a{2}{3}",
        r"*a",
        r"a{,3}",
        r"a\z",
        "a\\",
        r"\01",
        r"\u12",
    ],
)
def test_what_is_not_known_is_refused(pattern: str) -> None:
    with pytest.raises(UnknownSyntax):
        compile_pattern(pattern)


def test_a_long_text_is_looked_at_quickly() -> None:
    text = "a" * 2_000_000
    started = time.perf_counter()

    assert matches(r"([\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\s])*", text)
    assert not matches(r".*\S.*", f"{text}\n")
    assert not matches(r".*\S.*", " " * 2_000_000)
    assert time.perf_counter() - started < 2
