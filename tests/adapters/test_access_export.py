"""A matrix as a file says what the matrix says, and a file that is none is refused."""

from __future__ import annotations

import random
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lakeveil.adapters.access_export import COLUMNS, read_cells, write_cells
from lakeveil.core.access.changing.exposure import Exposure
from lakeveil.core.access.deciding.decision import Outcome
from lakeveil.core.access.explaining.cells import Cell, cells, compared
from lakeveil.core.access.grants import TableName
from lakeveil.errors import UsageError
from tests.core.access.random_changes import NOW, random_state

ODD = Cell(
    principal='arn:aws:iam::111111111111:user/an"a,\n',
    table=TableName("111111111111", "d", "t"),
    column="größe; -- 'x'",
    outcome=Outcome.MASKED,
    rows="(a = 'x,\"y')",
    masks=("hash where TRUE", 'fixed:"; where a = 1'),
    grants=("1", "2"),
    tags={"class": "private", "k=;": "v|"},
)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_what_is_written_is_read_back(tmp_path: Path, form: str) -> None:
    every = [ODD]
    for number in range(8):
        every += cells(random_state(random.Random(number)), now=NOW)
    path = tmp_path / f"access.{form}"
    assert write_cells(every, path) == len(every)
    assert list(read_cells(path)) == every
    assert compared(read_cells(path), read_cells(path)) == Exposure()


def test_parquet_is_columns_that_others_read(tmp_path: Path) -> None:
    path = tmp_path / "access.parquet"
    write_cells([ODD], path)
    (row,) = pq.read_table(path).to_pylist()
    assert tuple(row) == COLUMNS
    assert row["outcome"] == "masked"
    assert dict(row["tags"]) == ODD.tags


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_file_is_for_its_owner_alone(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"access.{form}"
    write_cells([], path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(read_cells(path)) == []


def test_a_file_that_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "access.csv"
    path.write_text("as it was")

    def broken() -> Cell:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_cells((broken() for _ in range(1)), path)
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_file_that_is_no_matrix_is_refused(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"access.{form}"
    for content in (b"", b"\0\1\2", b"principal,column\na,b\n"):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="no matrix"):
            list(read_cells(path))


def test_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no form"):
        write_cells([ODD], tmp_path / "access.xlsx")
    with pytest.raises(UsageError, match="no form"):
        list(read_cells(tmp_path / "access"))
