"""Partitions in paths: written and read alike, whatever their values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.access.tables.partition_paths import partition_path, partition_values
from lakeveil.core.access.tables.partitions import NULL

values = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(st.lists(values, min_size=1, max_size=3))
def test_values_are_read_back_as_they_were_written(given_: list[str]) -> None:
    keys = [f"k{place}" for place in range(len(given_))]
    path = partition_path(keys, given_)
    assert path.count("/") == len(keys) - 1
    assert partition_values(keys, path) == tuple(given_)


def test_what_is_no_partition_has_no_values() -> None:
    for path in ("", "day", "day=", "=1", "month=1", "day=1/hour=2", "day=%FF"):
        assert partition_values(["day"], path) is None, path


def test_no_value_is_written_as_hive_does() -> None:
    assert partition_path(["day"], [""]) == f"day={NULL}"
