"""What a decision lets through of a scan, shown by running it."""

# ruff: noqa: E501 - in tables, a case is a line

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.access.deciding.decision import ColumnDecision, Decision
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.rows import ALL, NONE, Rows
from lakeveil.core.access.tables.row_filter import canonical, parse
from lakeveil.core.access.tables.row_filter_rows import check, evaluate
from lakeveil.errors import UsageError
from lakeveil.sql.governed import governed_view, identifier, shown_type

COLUMNS = [
    ("Id", "int"), ("name", "string"), ("born", "date"), ("at", "timestamp"), ("pay", "decimal(10,2)"),
    ("ok", "boolean"), ("score", "double"), ('odd "name', "string"), ("tags", "array<string>"),
]  # fmt: skip
DATA = """
  CREATE OR REPLACE TEMP TABLE scan AS SELECT * FROM (VALUES
    (1, 'Ada Lovelace', DATE '1815-12-10', TIMESTAMP '2026-01-02 03:04:05', 10.50::DECIMAL(10,2),
     true, 0.5::DOUBLE, 'x', ['a']),
    (2, 'Bob', DATE '1990-01-01', TIMESTAMP '2025-06-01 00:00:00', 7.00, false, 'nan'::DOUBLE, 'y', []),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, 'Ada Lovelace', DATE '1815-12-10', NULL, 10.50, true, 1.0, 'O''Neil', ['b'])
  ) AS t("Id", name, born, "at", pay, ok, score, "odd ""name", tags)
"""
ENGINE = duckdb.connect(":memory:")
TABLE = TableName("1", "db", "t")
EU = Rows.where("name = 'Ada Lovelace'")


def _shown(
    columns: list[ColumnDecision], rows: Rows = ALL, salt: str = "s"
) -> list[dict[str, Any]]:
    decision = Decision(table=TABLE, columns=tuple(columns), rows=rows)
    view = governed_view(decision, COLUMNS, salt=salt)
    listed = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in view.columns.items())
    with ENGINE.cursor() as engine:
        engine.execute(DATA)
        found = engine.execute(f'SELECT {listed} FROM scan WHERE {view.where} ORDER BY "Id"')
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _one(column: ColumnDecision, **about: Any) -> list[Any]:
    return [row[column.name.lower()] for row in _shown([column], **about)]


def _masked(name: str, kind: MaskKind, value: str = "", rows: Rows = ALL) -> ColumnDecision:
    return ColumnDecision(name=name, masked=((Mask(kind, value), rows),))


def test_a_visible_column_is_itself_under_its_name_in_lower_case() -> None:
    assert _one(ColumnDecision(name="Id", visible=ALL)) == [1, 2, 3, 4]
    assert _one(ColumnDecision(name='odd "name', visible=ALL)) == ["x", "y", None, "O'Neil"]


def test_a_hidden_column_is_not_there() -> None:
    rows = _shown([ColumnDecision(name="Id", visible=ALL), ColumnDecision(name="name")])
    assert rows[0] == {"id": 1}


def test_a_column_that_the_decision_does_not_know_is_not_there() -> None:
    view = governed_view(Decision(table=TABLE, rows=ALL), COLUMNS, salt="s")
    assert view.columns == {}


def test_a_column_that_shows_in_some_rows_is_null_in_others() -> None:
    assert _one(ColumnDecision(name="pay", visible=EU)) == [
        Decimal("10.50"),
        None,
        None,
        Decimal("10.50"),
    ]
    assert _one(ColumnDecision(name="tags", visible=EU)) == [["a"], None, None, ["b"]]


def test_rows_that_may_not_be_returned_are_left_out() -> None:
    column = ColumnDecision(name="id", visible=ALL)
    assert _one(column, rows=EU) == [1, 4]
    assert _one(column, rows=EU | Rows.where("id = 2")) == [1, 2, 4]
    assert _one(column, rows=EU & Rows.where("id = 4")) == [4]
    assert _one(column, rows=NONE) == []


def test_each_mask_shows_what_it_says() -> None:
    assert _one(_masked("name", MaskKind.LAST_FOUR)) == ["lace", None, None, "lace"]
    assert _one(_masked("born", MaskKind.YEAR)) == [
        date(1815, 1, 1),
        date(1990, 1, 1),
        None,
        date(1815, 1, 1),
    ]
    assert _one(_masked("at", MaskKind.YEAR)) == [
        datetime(2026, 1, 1),  # noqa: DTZ001
        datetime(2025, 1, 1),  # noqa: DTZ001
        None,
        None,
    ]
    assert _one(_masked("name", MaskKind.FIXED, "it's 'x'")) == ["it's 'x'"] * 4
    assert _one(_masked("pay", MaskKind.NULL)) == [None] * 4


def test_a_mask_that_does_not_fit_shows_nothing() -> None:
    assert _one(_masked("pay", MaskKind.LAST_FOUR)) == [None] * 4
    assert _one(_masked("tags", MaskKind.HASH)) == [None] * 4
    assert _one(_masked("id", MaskKind.FIXED, "x")) == [None] * 4


@pytest.mark.parametrize("name", ["Id", "name", "born", "at", "pay", "ok", "score"])
def test_equal_values_have_equal_hashes_and_others_have_not(name: str) -> None:
    hashes = _one(_masked(name, MaskKind.HASH))
    values = [row[name.lower()] for row in _shown([ColumnDecision(name=name, visible=ALL)])]
    for value, hashed in zip(values, hashes, strict=True):
        assert (hashed is None) == (value is None)
        assert hashed is None or len(hashed) == 64
    assert len({str(v) for v in values if v is not None}) == len({h for h in hashes if h})


def test_a_hash_depends_on_the_lake_and_the_kind_of_value() -> None:
    name = _masked("name", MaskKind.HASH)
    assert set(_one(name)) != set(_one(name, salt="other"))
    view = governed_view(Decision(table=TABLE, columns=(name,), rows=ALL), COLUMNS, salt="secret")
    assert "secret" not in view.columns["name"]


def test_a_hash_joins_columns_of_integers_of_any_width() -> None:
    decision = Decision(
        table=TABLE, columns=(_masked("a", MaskKind.HASH), _masked("b", MaskKind.HASH)), rows=ALL
    )
    view = governed_view(decision, [("a", "int"), ("b", "bigint")], salt="s")
    with ENGINE.cursor() as engine:
        sql = f"SELECT {view.columns['a']}, {view.columns['b']} FROM (SELECT 7::INT a, 7::BIGINT b)"
        [(one, other)] = engine.execute(sql).fetchall()
    assert one == other


def test_the_value_comes_before_the_mask_and_the_first_mask_before_the_next() -> None:
    column = ColumnDecision(
        name="name",
        visible=Rows.where("id = 1"),
        masked=(
            (Mask(MaskKind.LAST_FOUR), Rows.where("id <= 2")),
            (Mask(MaskKind.FIXED, "?"), ALL),
        ),
    )
    assert _one(column) == ["Ada Lovelace", None, "?", "?"]


def test_a_hash_beside_values_of_another_type_shows_nothing() -> None:
    column = ColumnDecision(
        name="pay", visible=Rows.where("id = 1"), masked=((Mask(MaskKind.HASH), ALL),)
    )
    assert _one(column) == [Decimal("10.50"), None, None, None]
    assert shown_type(column, "decimal(10,2)") == "decimal(10,2)"


def test_types_of_what_is_shown() -> None:
    assert shown_type(ColumnDecision(name="x", visible=ALL), "int") == "int"
    assert shown_type(_masked("x", MaskKind.HASH), "bigint") == "string"
    assert shown_type(_masked("x", MaskKind.HASH), "array<int>") == "array<int>"
    assert shown_type(_masked("x", MaskKind.HASH), "varchar(3)") == "string"
    assert shown_type(_masked("x", MaskKind.YEAR), "date") == "date"
    assert shown_type(_masked("x", MaskKind.NULL), "double") == "double"


@pytest.mark.parametrize(
    "broken",
    [
        "not a filter", "nothing = 1", "id = 'text'", "tags = 'a'", "lower(name) = 'x'", "1 = 1",
        "id = 1 OR", "name = 'x' -- y", "pay = 1." + "1" * 38, "",
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_lets_nothing_through(broken: str) -> None:
    rows = Rows(frozenset({frozenset({broken})}))
    assert _one(ColumnDecision(name="id", visible=ALL), rows=rows) == []
    assert _one(ColumnDecision(name="id", visible=rows)) == [None] * 4
    both = Rows(frozenset({frozenset({broken, "id > 0"}), frozenset({"id = 2"})}))
    assert _one(ColumnDecision(name="id", visible=ALL), rows=both) == [2]


def test_columns_that_differ_in_case_alone_are_neither() -> None:
    decision = Decision(table=TABLE, columns=(ColumnDecision(name="a", visible=ALL),), rows=ALL)
    assert governed_view(decision, [("a", "int"), ("A", "int")], salt="s").columns == {"a": "NULL"}


_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@given(_TEXTS, _TEXTS)
def test_any_text_in_a_filter_is_only_a_text(mine: str, other: str) -> None:
    quoted = "'" + mine.replace("'", "''") + "'"
    decision = Decision(
        table=TABLE,
        columns=(ColumnDecision(name="v", visible=ALL),),
        rows=Rows.where(f"v = {quoted}"),
    )
    view = governed_view(decision, [("v", "string")], salt="s")
    with ENGINE.cursor() as engine:
        found = engine.execute(
            f"SELECT {view.columns['v']} FROM (SELECT unnest(?) AS v) WHERE {view.where}",
            [[mine, other]],
        ).fetchall()
    assert {value for (value,) in found} == {mine}


_NAMES = {
    "i": "int",
    "s": "string",
    "d": "date",
    "b": "boolean",
    "n": "decimal(6,2)",
    "f": "double",
}
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-3, 3),
    "s": st.sampled_from(["", "a", "ab", "A%", "_", "b\\", "é"]),
    "d": st.sampled_from([date(2026, 1, 1), date(1999, 12, 31)]),
    "b": st.booleans(),
    "n": st.sampled_from([Decimal("1.50"), Decimal("-2.25"), Decimal("0.00")]),
    "f": st.sampled_from([0.5, -1.5, 2.0, float("nan"), float("inf")]),
}
_CONSTANTS = {
    "i": ["0", "-2", "3"],
    "s": ["'a'", "'%'", "'_'", "'A\\%'", "'é'"],
    "d": ["DATE '2026-01-01'", "DATE '2000-02-29'"],
    "b": ["TRUE", "FALSE"],
    "n": ["1.5", "-2", "0.001"],
    "f": ["0.5", "2", "-1.5"],
}


@st.composite
def _predicates(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(_NAMES)))
    one, two = (draw(st.sampled_from(_CONSTANTS[name])) for _ in range(2))
    negated = draw(st.sampled_from(["", "NOT "]))
    forms = [
        f"{name} {draw(st.sampled_from(['=', '<>', '<', '>', '<=', '>=']))} {one}",
        f"{name} IS {negated}NULL",
        f"{name} {negated}IN ({one}, {two})",
        f"{name} {negated}BETWEEN {one} AND {two}",
    ]
    if name == "s":
        forms.append(f"s {negated}LIKE {one}")
    return draw(st.sampled_from(forms))


_FILTERS = st.recursive(
    _predicates(),
    lambda inner: st.one_of(
        inner.map("NOT ({})".format),
        st.tuples(inner, inner).map("({0[0]}) AND ({0[1]})".format),
        st.tuples(inner, inner).map("({0[0]}) OR ({0[1]})".format),
    ),
    max_leaves=5,
)


@given(
    _FILTERS,
    st.lists(
        st.fixed_dictionaries({n: st.none() | values for n, values in _VALUES.items()}),
        min_size=1,
        max_size=5,
    ),
)
def test_a_filter_means_to_the_engine_what_it_means_to_us(
    text: str, rows: list[dict[str, Any]]
) -> None:
    tree = parse(text)
    try:
        check(tree, _NAMES)
    except UsageError:
        expected: list[int] = []
    else:
        expected = [at for at, row in enumerate(rows) if evaluate(tree, row) is True]
    decision = Decision(
        table=TABLE,
        columns=(ColumnDecision(name="nr", visible=ALL),),
        rows=Rows.where(canonical(tree)),
    )
    view = governed_view(decision, [("nr", "int"), *_NAMES.items()], salt="s")
    with ENGINE.cursor() as engine:
        engine.execute(
            "CREATE OR REPLACE TEMP TABLE t (nr INT, i INT, s VARCHAR, d DATE, b BOOLEAN, n DECIMAL(6,2), f DOUBLE)"
        )
        values = [[at, *(row[n] for n in _NAMES)] for at, row in enumerate(rows)]
        engine.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        found = engine.execute(f"SELECT nr FROM t WHERE {view.where} ORDER BY nr").fetchall()
    assert [at for (at,) in found] == expected
