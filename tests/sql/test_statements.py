"""Statements that are no queries: read into all their parts, or refused."""

# ruff: noqa: E501, ISC004 - in tables, a case is a line

from __future__ import annotations

import pytest

from lakeveil.core.query.execution import StatementType
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql import statements as s
from lakeveil.sql.parse import parse

T = s.TableRef("t")


def _plain(found: object) -> str:
    """Without places."""
    return repr(found).replace("'", "").replace('"', "")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SHOW DATABASES", s.ShowDatabases()),
        ("show schemas like 'a*|b'", s.ShowDatabases(like="a*|b")),
        ("SHOW TABLES", s.ShowTables()),
        ("SHOW TABLES IN `sales` 'x*'", s.ShowTables(database="sales", like="x*")),
        ("SHOW VIEWS FROM sales LIKE 'x'", s.ShowViews(database="sales", like="x")),
        ("PREPARE p FROM SELECT * FROM t WHERE id = ?",
         s.Prepare(name="p", sql="SELECT * FROM t WHERE id = ?")),
        ("EXECUTE p", s.Execute(name="p")),
        ("EXECUTE p USING 1, 'a, b', DATE '2026-01-01', CAST(1 AS decimal(3,1))",
         s.Execute(name="p", parameters=(
             "1", "'a, b'", "DATE '2026-01-01'", "CAST(1 AS decimal(3,1))"))),
        ("DEALLOCATE PREPARE p", s.Deallocate(name="p")),
        ("USE sales", s.Use(database=s.DatabaseRef("sales"))),
        ('USE awsdatacatalog."Sales"', s.Use(database=s.DatabaseRef("sales", "awsdatacatalog"))),
        ("CREATE DATABASE IF NOT EXISTS d COMMENT 'c' LOCATION 's3://b/' WITH DBPROPERTIES ('a'='1')",
         s.CreateDatabase(database=s.DatabaseRef("d"), if_not_exists=True, comment="c",
                          location="s3://b/", properties={"a": "1"})),
        ("DROP SCHEMA IF EXISTS d CASCADE",
         s.DropDatabase(database=s.DatabaseRef("d"), if_exists=True, cascade=True)),
        ("ALTER DATABASE d SET DBPROPERTIES ('a'='1')",
         s.AlterDatabase(database=s.DatabaseRef("d"), properties={"a": "1"})),
    ],
)  # fmt: skip
def test_a_statement_has_its_parts(sql: str, expected: s.Statement) -> None:
    assert parse(sql) == expected


@pytest.mark.parametrize(
    ("sql", "kind", "parts"),
    [
        ("SHOW COLUMNS IN t IN d", s.ShowColumns, "table=t database=d"),
        ("SHOW COLUMNS FROM d.t", s.ShowColumns, "table=t database=d"),
        ("SHOW CREATE TABLE `d`.`t`", s.ShowCreateTable, "table=t database=d"),
        ("SHOW CREATE VIEW t", s.ShowCreateView, "table=t"),
        ("SHOW PARTITIONS t", s.ShowPartitions, "table=t"),
        ("SHOW TBLPROPERTIES t('a')", s.ShowTableProperties, "table=t name=a"),
        ("DESCRIBE EXTENDED d.t", s.Describe, "detail=extended table=t database=d"),
        ("DESC t PARTITION (day='1') city", s.Describe, "day, 1 name=city"),
        ("MSCK REPAIR TABLE t", s.MsckRepair, "table=t"),
        ("DROP TABLE IF EXISTS `d`.t", s.DropTable, "table=t database=d if_exists=True"),
        ('DROP VIEW "V"', s.DropView, "table=v if_exists=False"),
        ('CREATE OR REPLACE VIEW "V" (a, "B") AS WITH x AS (SELECT 1) SELECT * FROM x',
         s.CreateView, "table=v columns=(a, b) replace=True WITH x AS (SELECT 1) SELECT * FROM x"),
        ("CREATE TABLE d.t WITH (format = 'PARQUET', partitioned_by = ARRAY['a', 'b'], "
         "bucket_count = 3, is_external = false) AS SELECT 1 AS a WITH NO DATA",
         s.CreateTableAs, "format: PARQUET, partitioned_by: (a, b), bucket_count: 3, "
         "is_external: False if_not_exists=False with_data=False text=SELECT 1 AS a)"),
        ("CREATE TABLE IF NOT EXISTS t AS TABLE x", s.CreateTableAs, "if_not_exists=True TABLE x"),
        ("INSERT INTO d.t SELECT 1", s.Insert, "table=t columns=() SELECT 1"),
        ("INSERT INTO t (a, B) VALUES (1, 2)", s.Insert, "columns=(a, b) VALUES (1, 2)"),
        ("INSERT INTO t (SELECT 1)", s.Insert, "columns=() (SELECT 1)"),
        ("UNLOAD (SELECT ')' FROM t) TO 's3://b/p/' WITH (format = 'PARQUET')",
         s.Unload, "SELECT ) FROM t location=s3://b/p/ format: PARQUET"),
        ("DELETE FROM t AS x WHERE id = 1 AND y", s.Delete, "alias=x id = 1 AND y"),
        ("DELETE FROM t", s.Delete, "where=None"),
        ("UPDATE t SET a = CASE WHEN b THEN 1 END, c = f(a, b) WHERE d",
         s.Update, "a, Condition(text=CASE WHEN b THEN 1 END)) (c, Condition(text=f(a, b)))"),
        ("MERGE INTO t a USING (SELECT 1 AS id) b ON a.id = b.id WHEN MATCHED AND b.x THEN DELETE "
         "WHEN MATCHED THEN UPDATE SET y = b.y WHEN NOT MATCHED THEN INSERT (id) VALUES (b.id)",
         s.Merge, "alias=a a.id = b.id action=delete action=update action=insert b.x b.y b.id"),
        ("OPTIMIZE d.t REWRITE DATA USING BIN_PACK WHERE day = 1", s.Optimize, "table=t day = 1"),
        ("VACUUM t", s.Vacuum, "table=t"),
        ("EXPLAIN ANALYZE (FORMAT JSON) SELECT 1", s.Explain, "analyze=True format=json SELECT 1"),
        ("EXPLAIN (TYPE IO, FORMAT JSON) SELECT 1", s.Explain, "type=io format=json"),
        ("CREATE EXTERNAL TABLE IF NOT EXISTS d.t (`a` int COMMENT 'x', b array<struct<c:int,"
         "d:decimal(12, 2)>>, e map<string,double>) COMMENT 'y' PARTITIONED BY (day date) "
         "ROW FORMAT SERDE 'org.x.Y' WITH SERDEPROPERTIES ('p' = 'q') "
         "STORED AS INPUTFORMAT 'i' OUTPUTFORMAT 'o' LOCATION 's3://b/' TBLPROPERTIES (\"a\"=\"1\")",
         s.CreateTable, "array<struct<c:int,d:decimal(12,2)>> map<string,double> external=True "
         "name=day, type=date serde=org.x.Y p: q input_format=i output_format=o "
         "location=s3://b/ a: 1"),
        ("CREATE EXTERNAL TABLE t (a int) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' ESCAPED BY "
         "'\\\\' LINES TERMINATED BY '\\n' STORED AS TEXTFILE LOCATION 's3://b/'",
         s.CreateTable, "fields: , stored_as=textfile"),
        ("CREATE TABLE t (id bigint, at timestamp) PARTITIONED BY (day(at), bucket(16, id), id) "
         "LOCATION 's3://b/' TBLPROPERTIES ('table_type' = 'ICEBERG')",
         s.CreateTable, "column=at, transform=day column=id, transform=bucket, argument=16 "
         "column=id, transform=identity"),
        ("ALTER TABLE t ADD COLUMNS (a int, b string COMMENT 'c')", s.AddColumns, "replace=False"),
        ("ALTER TABLE t REPLACE COLUMNS (a int)", s.AddColumns, "replace=True"),
        ("ALTER TABLE t DROP COLUMN a", s.DropColumn, "name=a"),
        ("ALTER TABLE t CHANGE COLUMN a b bigint AFTER c", s.ChangeColumn, "name=b after=c"),
        ("ALTER TABLE t CHANGE a b bigint FIRST", s.ChangeColumn, "after="),
        ("ALTER TABLE t RENAME COLUMN a TO b", s.ChangeColumn, "name=a name=b"),
        ("ALTER TABLE t RENAME TO d.u", s.RenameTable, "table=u database=d"),
        ("ALTER TABLE t SET LOCATION 's3://b/'", s.SetLocation, "location=s3://b/ partition=None"),
        ("ALTER TABLE t PARTITION (a = 1) SET LOCATION 's3://b/'", s.SetLocation, "a, 1"),
        ("ALTER TABLE t PARTITION (a = 1) RENAME TO PARTITION (a = '2')", s.RenamePartition, "a, 2"),
        ("ALTER TABLE t SET TBLPROPERTIES ('a' = 'b')", s.SetTableProperties, "a: b"),
        ("ALTER TABLE t UNSET TBLPROPERTIES ('a', 'b')", s.SetTableProperties, "removed=(a, b)"),
        ("ALTER TABLE t ADD IF NOT EXISTS PARTITION (a='1', b=-2) LOCATION 's3://x/' "
         "PARTITION (a='3', b=4)", s.AddPartitions, "a, 1 b, -2 s3://x/ a, 3 if_not_exists=True"),
        ("ALTER TABLE t DROP IF EXISTS PARTITION (a='1'), PARTITION (a='2')",
         s.DropPartitions, "a, 1 a, 2 if_exists=True"),
    ],
)  # fmt: skip
def test_a_statement_is_read(sql: str, kind: type[s.Statement], parts: str) -> None:
    found = parse(sql)
    assert type(found) is kind
    shown = _plain(found)
    for part in parts.split(" "):
        assert part.rstrip(",)") in shown


def test_an_iceberg_table_is_known_by_its_property() -> None:
    made = parse("CREATE TABLE t (a int) LOCATION 's3://b/' TBLPROPERTIES ('table_type'='iceberg')")
    assert isinstance(made, s.CreateTable)
    assert made.iceberg


@pytest.mark.parametrize(
    ("sql", "kind", "substatement"),
    [
        ("SELECT 1", StatementType.DML, "SELECT"),
        ("CREATE TABLE t AS SELECT 1 AS a", StatementType.DML, "CREATE_TABLE_AS_SELECT"),
        ("INSERT INTO t VALUES 1", StatementType.DML, "INSERT"),
        ("DROP TABLE t", StatementType.DDL, "DROP_TABLE"),
        ("MSCK REPAIR TABLE t", StatementType.DDL, "MSCK_REPAIR_TABLE"),
        ("SHOW TABLES", StatementType.UTILITY, "SHOW_TABLES"),
        ("EXPLAIN SELECT 1", StatementType.UTILITY, "EXPLAIN"),
    ],
)
def test_a_statement_is_of_athenas_kind(sql: str, kind: StatementType, substatement: str) -> None:
    found = parse(sql)
    assert (found.kind, found.substatement) == (kind, substatement)


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW", "SHOW TABLES IN", "SHOW SECRETS", "SHOW TABLES; DROP TABLE t", "DESCRIBE",
        "DESCRIBE (SELECT 1)", "DROP TABLE", "DROP TABLE a, b", "DROP TABLE a.b.c.d",
        "DROP TABLE t PURGE x", "CREATE TABLE t", "CREATE TABLE t (a int", "CREATE TABLE t ()",
        "CREATE EXTERNAL TABLE t (a int) LOCATION 's3://a/' LOCATION 's3://b/'",
        "CREATE EXTERNAL TABLE t (a int) LOCATION s3", "CREATE EXTERNAL TABLE t AS SELECT 1",
        "CREATE EXTERNAL TABLE t (a array<int) LOCATION 's3://b/'",
        "CREATE TABLE t AS DROP TABLE x", "CREATE TABLE t WITH (a = (SELECT 1)) AS SELECT 1",
        "CREATE TABLE t WITH (a = 'x', A = 'y') AS SELECT 1", "CREATE VIEW v AS DELETE FROM t",
        "CREATE VIEW v AS SELECT 1; SELECT 2", "INSERT INTO t", "INSERT INTO t DELETE FROM x",
        "INSERT OVERWRITE t SELECT 1", "UNLOAD SELECT 1 TO 's3://b/'", "UNLOAD (SELECT 1) TO x",
        "UNLOAD (DELETE FROM t) TO 's3://b/'", "DELETE t", "DELETE FROM t WHERE",
        "DELETE FROM t WHERE a = 1 ORDER BY b", "DELETE FROM t WHERE a, b", "UPDATE t SET",
        "DELETE FROM t WHERE a FROM u", "UPDATE t SET a = 1 FROM u", "UPDATE t SET a = 1, a = 2",
        "MERGE INTO t USING u ON a", "MERGE INTO t USING u, v ON a WHEN MATCHED THEN DELETE",
        "MERGE INTO t USING u ON a WHEN MATCHED THEN INSERT VALUES (1)",
        "MERGE INTO t USING u ON a WHEN NOT MATCHED THEN DELETE",
        "MERGE INTO t USING u ON a WHEN NOT MATCHED THEN INSERT (a) VALUES (1, 2)",
        "OPTIMIZE t", "VACUUM", "VACUUM FULL t", "MSCK TABLE t", "EXPLAIN", "EXPLAIN SHOW TABLES",
        "EXPLAIN (FORMAT XML) SELECT 1", "PREPARE p", "PREPARE p FROM p", "EXECUTE",
        "EXECUTE p USING", "EXECUTE p USING id", "EXECUTE p USING (SELECT 1)", "DEALLOCATE p",
        "USE a.b.c", "ALTER TABLE t", "ALTER TABLE t OWNER TO x", "ALTER TABLE t ADD PARTITION ()",
        "ALTER TABLE t ADD PARTITION (a = b)", "ALTER TABLE t DROP PARTITION (a > 1)",
        "ALTER TABLE t ADD PARTITION (a = 1, a = 2)", "ALTER VIEW v AS SELECT 1",
        "DROP DATABASE", "CREATE DATABASE d MANAGEDLOCATION 'x'",
    ],
)  # fmt: skip
def test_anything_else_is_a_syntax_error(sql: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse(sql)
    assert refused.value.failure.name in {
        ErrorName.SYNTAX_ERROR,
        ErrorName.NOT_SUPPORTED,
        ErrorName.INVALID_PARAMETER_USAGE,
    }


def test_parameters_go_into_statements_that_write() -> None:
    found = parse("INSERT INTO t SELECT * FROM u WHERE a = ?", ["'x'' OR 1=1 --'"])
    assert isinstance(found, s.Insert)
    literals = [node.this for node in found.query.tree.walk() if node.key == "literal"]
    assert literals == ["x' OR 1=1 --"]
