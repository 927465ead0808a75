"""Errors of queries: Trino's names, numbers and kinds."""

from __future__ import annotations

import pytest

from lakeveil.core.query.failures import ErrorKind, ErrorName


def test_every_error_has_a_number_of_its_own() -> None:
    numbers = [name.number for name in ErrorName]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("name", "number", "kind"),
    [
        (ErrorName.TOO_MANY_ARGUMENTS, 77, ErrorKind.USER_ERROR),
        (ErrorName.GENERIC_INTERNAL_ERROR, 0x0001_0000, ErrorKind.INTERNAL_ERROR),
        (ErrorName.EXCEEDED_TIME_LIMIT, 0x0002_0003, ErrorKind.INSUFFICIENT_RESOURCES),
        (ErrorName.HIVE_BAD_DATA, 0x0100_0007, ErrorKind.EXTERNAL),
        (ErrorName.HIVE_PATH_ALREADY_EXISTS, 0x0100_000F, ErrorKind.EXTERNAL),
    ],
)
def test_the_number_says_whose_fault_it_is(name: ErrorName, number: int, kind: ErrorKind) -> None:
    assert (name.number, name.kind) == (number, kind)
