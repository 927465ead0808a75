"""`*` and `?` as IAM's policies use them: any text, and any one character."""

from __future__ import annotations

import functools
import re


def matches(pattern: str, text: str) -> bool:
    """Whether all of `text` fits, with its case.

    >>> matches("arn:aws:s3:::out/bu-?/*", "arn:aws:s3:::out/bu-a/results/1.csv")
    True
    """
    return pattern == "*" or bool(_compiled(pattern).fullmatch(text))


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # Each part between two stars is taken where it first fits and never tried again (an atomic
    # group): no pattern, whoever wrote it, takes longer than its length times the text's.
    first, *rest = pattern.split("*")
    parts = [_literal(first)]
    if rest:
        parts += [f"(?>.*?{_literal(part)})" for part in rest[:-1] if part]
        parts.append(f".*{_literal(rest[-1])}")
    return re.compile("".join(parts), re.DOTALL)


def _literal(part: str) -> str:
    return ".".join(re.escape(piece) for piece in part.split("?"))
