r"""Patterns of AWS's models, which are Java's, as Python's `re` has to be told them.

The two agree on most of the notation and differ where it matters: `re` has no `\p{L}`, reads half
of a surrogate pair where Java reads the whole (`\uD800\uDC00` is U+10000), lets `.` match
`\r` and `\d` match digits of every script, and takes for literals what Java takes for a set within
a set. So a pattern is read here token by token (`java.util.regex.Pattern`, without flags), and one
that holds anything else is refused when a service is composed: a check is never left out.
"""

from __future__ import annotations

import functools
import itertools
import re
import sys
import unicodedata
from collections.abc import Iterator

_DOT = r"[^\n\r\x85\u2028\u2029]"
"""Java's `.`"""

_LINEAR = {
    # Something visible, in one line. As written it takes the square of the text's length, and
    # Python does nothing else meanwhile. To Java some ends of lines are visible and no `.`
    r".*\S.*": "|".join(
        [rf"[ \t\v\f]*\S{_DOT}*", rf"{_DOT}*[\x85\u2028\u2029]{_DOT}*"],
    ),
}
"""Patterns that are told in another way, to be quick with any text."""

_QUANTIFIER = re.compile(r"[*+?]|\{[0-9]+(?:,[0-9]*)?\}")
_GROUP = re.compile(r"\((?:\?[:=!])?(?!\?)")
_CODE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_PAIR = re.compile(r"(?i)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")
"""A code point beyond U+FFFF, as Java writes it."""
_PROPERTY = re.compile(r"\\p\{([LMNPSZC][a-z]?)\}")
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}

_Atom = int | str
"""A code point, or what stands for several of them inside of brackets."""


class UnknownSyntax(ValueError):
    """A pattern that cannot be translated exactly."""


@functools.cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """What `fullmatch` accepts is what Java's `matches` accepts.

    Raises:
        UnknownSyntax: something in it is not known here.
    """
    return re.compile(_LINEAR.get(pattern) or translate(pattern), re.ASCII)


def translate(pattern: str) -> str:
    """The pattern in Python's notation, to be compiled with `re.ASCII`.

    Raises:
        UnknownSyntax: something in it is not known here.
    """
    out, at, may_repeat = list[str](), 0, False
    while at < len(pattern):
        repeats = _QUANTIFIER.match(pattern, at)
        if repeats and not may_repeat:
            raise _unknown(pattern, at)
        if repeats:
            at = repeats.end()
            lazy = pattern[at : at + 1] == "?"
            out.append(repeats.group() + "?" * lazy)
            at += lazy
            # A third sign makes it possessive, or an error.
            may_repeat = False
            continue
        text, at = _token(pattern, at)
        out.append(text)
        if text == ")" and out[-3:-2] == ["("] and out[-2] != "|":
            # `re` keeps a note for each round of a repeated group, of which `([a-z])*` needs none.
            out[-3:] = [out[-2]]
        may_repeat = text not in {"^", r"\Z", "|"} and not text.startswith("(")
    return "".join(out)


def _token(pattern: str, at: int) -> tuple[str, int]:
    char = pattern[at]
    group = _GROUP.match(pattern, at)
    if group:
        return group.group(), group.end()
    if char == "[":
        return _brackets(pattern, at)
    if char == "\\":
        atom, after = _escape(pattern, at)
        return (_one(atom) if isinstance(atom, int) else f"[{atom}]"), after
    if char in "({":
        raise _unknown(pattern, at)
    special = {".": _DOT, "$": r"\Z", "^": "^", "|": "|", ")": ")"}
    return special.get(char) or re.escape(char), at + 1


def _brackets(pattern: str, start: int) -> tuple[str, int]:
    """A set such as `[^a-z]`, and where it ends."""
    at = start + 1
    negated = pattern[at : at + 1] == "^"
    at += negated
    out = list[str]()
    while pattern[at : at + 1] != "]" or not out:
        low, at = _member(pattern, at)
        ranged = pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in {"]", ""}
        if isinstance(low, str) or not ranged:
            out.append(low if isinstance(low, str) else _one(low))
            continue
        high, at = _member(pattern, at + 1)
        if isinstance(high, str) or high < low:
            raise _unknown(pattern, at)
        out.append(f"{_one(low)}-{_one(high)}")
    return f"[{'^' * negated}{''.join(out)}]", at + 1


def _member(pattern: str, at: int) -> tuple[_Atom, int]:
    char = pattern[at : at + 1]
    # Java reads sets within sets and their intersections, `re` reads literals.
    if char in {"", "[", "]"} or pattern.startswith("&&", at):
        raise _unknown(pattern, at)
    return _escape(pattern, at) if char == "\\" else (ord(char), at + 1)


def _escape(pattern: str, at: int) -> tuple[_Atom, int]:
    pair, code = _PAIR.match(pattern, at), _CODE.match(pattern, at)
    if pair:
        return ord(bytes.fromhex(pair[1] + pair[2]).decode("utf-16-be")), pair.end()
    if code:
        return int(code[1] or code[2], 16), code.end()
    found = _PROPERTY.match(pattern, at)
    if found:
        return _category(found[1]), found.end()
    char = pattern[at + 1 : at + 2]
    if char in _CONTROLS:
        return ord(_CONTROLS[char]), at + 2
    if char and char in "dDwWsS":
        return f"\\{char}", at + 2
    if not char or char.isalnum():
        raise _unknown(pattern, at)
    return ord(char), at + 2


def _one(code_point: int) -> str:
    return f"\\U{code_point:08x}"


@functools.cache
def _category(name: str) -> str:
    """The code points of a general category such as `L` or `Lu`, as ranges for brackets."""
    return "".join(f"{_one(low)}-{_one(high)}" for low, high in _ranges(name))


def _ranges(name: str) -> Iterator[tuple[int, int]]:
    begun: int | None = None
    for low, category in _runs():
        inside = category.startswith(name)
        if inside and begun is None:
            begun = low
        elif not inside and begun is not None:
            yield begun, low - 1
            begun = None
    if begun is not None:
        yield begun, sys.maxunicode


@functools.cache
def _runs() -> tuple[tuple[int, str], ...]:
    """Where each run of code points of one category begins, and which it is."""
    everything = map(unicodedata.category, map(chr, range(sys.maxunicode + 1)))
    runs, at = list[tuple[int, str]](), 0
    for category, run in itertools.groupby(everything):
        runs.append((at, category))
        at += sum(1 for _ in run)
    return tuple(runs)


def _unknown(pattern: str, at: int) -> UnknownSyntax:
    return UnknownSyntax(f"the pattern {pattern!r} holds what is not known here, at {at}")
