"""From a scan to SQL: files by their URLs as one relation with the table's columns and types.

The result of `view_sql` is a SELECT: what the view lets through, over all groups of files, over
rows that were not deleted. Constants, renamed and missing columns come out as the table has them.
Filters and projections of the query are pushed into the readers; only its columns are read.

Deletes follow the Iceberg specification: positions count rows of a file from 0, and an equality
delete takes NULL as equal to NULL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from lakeveil.adapters.engine.hive_types import duckdb_type
from lakeveil.adapters.engine.spelling import identifier, text
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.ports.engine import (
    EngineRelation,
    FileGroup,
    Scan,
    ScanColumn,
    ScanFile,
    ScanFormat,
)
from lakeveil.sql.governed_view import GovernedView

_FILE = "lakeveil_file"
_POSITION = "file_row_number"
_COMPRESSED: Mapping[str, str] = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd"}
_UNREADABLE = (".bz2", ".lz4", ".snappy", ".lzo", ".xz", ".deflate")
_FORMATS_WITH_OPTIONS: Mapping[ScanFormat, frozenset[str]] = {
    ScanFormat.PARQUET: frozenset(),
    ScanFormat.CSV: frozenset({"delimiter", "header", "skip", "quote", "escape", "null"}),
    ScanFormat.JSON: frozenset(),
}

Urls = Mapping[ScanFile, str]


def files(scan: Scan) -> Iterator[ScanFile]:
    """Every file that a scan opens, deletes too."""
    for group in scan.groups:
        yield from group.files
        yield from group.position_deletes
        yield from (delete.file for delete in group.equality_deletes)


def holds_rows_back(relation: EngineRelation) -> bool:
    """Whether there are rows in the files that the view does not show."""
    return relation.view.where.strip().upper() != "TRUE" or any(
        group.position_deletes or group.deleted_rows or group.equality_deletes
        for group in relation.scan.groups
    )


def masks(relation: EngineRelation) -> bool:
    """Whether a column of the view is more than the column of the table."""
    return any(
        expression.strip().lower() not in {name.lower(), identifier(name).lower()}
        for name, expression in relation.view.columns.items()
    )


def view_sql(relation: EngineRelation, urls: Urls) -> str:
    """What the relation's view shows.

    Raises:
        QueryError: NOT_SUPPORTED, for a type, an option or a compression that is not read.
    """
    scan = relation.scan
    unknown = set(scan.options) - _FORMATS_WITH_OPTIONS[scan.format]
    if unknown:
        raise _unsupported(f"The option {min(unknown)} of {scan.format.value} is not read")
    _check_readable(relation)
    groups = [_group(scan, part, urls) for group in scan.groups for part in _alike(group)]
    return _shown(relation.view, " UNION ALL ".join(groups) or _nothing(scan))


def _check_readable(relation: EngineRelation) -> None:
    """Refuse a view of a column that files hold as something else."""
    view = relation.view
    read = "\n".join((view.where, *view.columns.values()))
    for group in relation.scan.groups:
        for name, held in group.unreadable.items():
            if not re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", read, re.IGNORECASE):
                continue
            # Rows may be told, or values masked, by a column of which nobody is to know.
            shown = view.columns.get(name, "").strip().lower() in {name, identifier(name).lower()}
            what = f"Column '{name}': files hold {held}, which the table's type does not"
            raise QueryError(
                ErrorName.HIVE_BAD_DATA,
                what if shown else "Files of the table hold other types than its definition says",
            )


def _shown(view: GovernedView, source: str) -> str:
    columns = ", ".join(f"({e}) AS {identifier(n)}" for n, e in view.columns.items())
    # A bare count needs no column, and SQL has no relation without any.
    return f"SELECT {columns or 'NULL AS lakeveil_row'} FROM ({source}) WHERE ({view.where})"  # noqa: S608 - names and texts are quoted


def _nothing(scan: Scan) -> str:
    columns = ", ".join(
        f"CAST(NULL AS {duckdb_type(c.type)}) AS {identifier(c.name)}" for c in scan.columns
    )
    return f"SELECT {columns} LIMIT 0"


def _alike(group: FileGroup) -> Iterator[FileGroup]:
    """Parts of a group whose files are compressed alike: DuckDB cannot tell it from a URL."""
    ordered = sorted(group.files, key=lambda f: _compression(f.location))
    for _, alike in groupby(ordered, key=lambda f: _compression(f.location)):
        yield FileGroup(
            files=tuple(alike),
            constants=group.constants,
            renamed=group.renamed,
            missing=group.missing,
            unreadable=group.unreadable,
            position_deletes=group.position_deletes,
            deleted_rows=group.deleted_rows,
            equality_deletes=group.equality_deletes,
        )


def _group(scan: Scan, group: FileGroup, urls: Urls) -> str:
    columns = ", ".join(_column(scan, group, c.name, c.type) for c in scan.columns)
    reader = _READERS[scan.format](scan, group, urls)
    alive = _alive(scan, group, urls)
    return f"SELECT {columns} FROM {reader} AS f{alive}"  # noqa: S608 - the same


def _column(scan: Scan, group: FileGroup, name: str, hive: str) -> str:
    kind, shown = duckdb_type(hive), identifier(name)
    if name in group.constants:
        value = group.constants[name]
        return f"CAST({'NULL' if value is None else text(value)} AS {kind}) AS {shown}"
    if name in group.missing or name in group.unreadable:
        return f"CAST(NULL AS {kind}) AS {shown}"
    there = f"f.{identifier(group.renamed.get(name, name))}"
    # Text that is no number is NULL, as Hive's readers have it; it is no error to learn from.
    cast = "TRY_CAST" if scan.format is ScanFormat.CSV else "CAST"
    return f"{cast}({there} AS {kind}) AS {shown}"


def _parquet(scan: Scan, group: FileGroup, urls: Urls) -> str:
    options = [_list([urls[f] for f in group.files]), "hive_partitioning = false"]
    if group.position_deletes or group.deleted_rows:
        in_files = {group.renamed.get(c.name, c.name).lower() for c in scan.columns}
        if _POSITION in in_files or _FILE in in_files:
            raise _unsupported(f"A table with deletes has a column {_POSITION} or {_FILE}")
        options += [f"filename = {text(_FILE)}", "file_row_number = true"]
    return f"read_parquet({', '.join(options)})"


def _csv(scan: Scan, group: FileGroup, urls: Urls) -> str:
    _refuse_deletes(scan, group)
    given = scan.options
    stored = _in_files(scan, group)
    columns = ", ".join(f"{text(group.renamed.get(c.name, c.name))}: 'VARCHAR'" for c in stored)
    options = [
        _list([urls[f] for f in group.files]),
        "auto_detect = false",
        "hive_partitioning = false",
        "null_padding = true",
        "strict_mode = false",
        f"columns = {{{columns}}}",
        f"delim = {text(given.get('delimiter', ','))}",
        f"quote = {text(given.get('quote', ''))}",
        f"escape = {text(given.get('escape', ''))}",
        f"nullstr = {text(given.get('null', ''))}",
        f"header = {'true' if given.get('header') == 'true' else 'false'}",
        f"compression = {text(_compression(group.files[0].location))}",
    ]
    if "skip" in given:
        options.append(f"skip = {int(given['skip'])}")
    return f"read_csv({', '.join(options)})"


def _json(scan: Scan, group: FileGroup, urls: Urls) -> str:
    _refuse_deletes(scan, group)
    stored = _in_files(scan, group)
    columns = ", ".join(
        f"{text(group.renamed.get(c.name, c.name))}: {text(duckdb_type(c.type))}" for c in stored
    )
    compression = _compression(group.files[0].location)
    options = [
        _list([urls[f] for f in group.files]),
        "format = 'newline_delimited'",
        "hive_partitioning = false",
        f"columns = {{{columns}}}",
        # The JSON reader has another name for it than that of CSV.
        f"compression = {text('uncompressed' if compression == 'none' else compression)}",
    ]
    return f"read_json({', '.join(options)})"


_READERS = {ScanFormat.PARQUET: _parquet, ScanFormat.CSV: _csv, ScanFormat.JSON: _json}


def _alive(scan: Scan, group: FileGroup, urls: Urls) -> str:
    """Joins that leave the rows that were not deleted."""
    joins = []
    if group.position_deletes:
        # Those files name others by location, and we know them by URL.
        names = ", ".join(f"({text(f.location)}, {text(urls[f])})" for f in group.files)
        deleted = _list([urls[f] for f in group.position_deletes])
        gone = (
            f"FROM read_parquet({deleted}) AS d JOIN (VALUES {names}) AS n(location, url)"
            " ON d.file_path = n.location SELECT n.url, d.pos"
        )
        joins.append(_without(gone))
    rows = [
        f"({text(urls[f])}, [{', '.join(str(int(row)) for row in group.deleted_rows[f.location])}])"
        for f in group.files
        if group.deleted_rows.get(f.location)
    ]
    if rows:
        gone = f"FROM (VALUES {', '.join(rows)}) AS v(url, positions)"
        joins.append(_without(f"{gone} SELECT url, unnest(positions) AS pos"))
    for number, delete in enumerate(group.equality_deletes):
        by = f"e{number}"
        same = " AND ".join(
            f"{_stored(scan, group, name)} IS NOT DISTINCT FROM {by}.{identifier(there)}"
            for name, there in zip(delete.columns, delete.stored, strict=True)
        )
        if not same:
            raise _unsupported("A file of deleted rows names no column")
        joins.append(f" ANTI JOIN read_parquet({_list([urls[delete.file]])}) AS {by} ON {same}")
    return "".join(joins)


def _without(gone: str) -> str:
    """A join that leaves out rows of files, given as `url` and `pos`."""
    return f" ANTI JOIN ({gone}) AS g ON f.{_FILE} = g.url AND f.{_POSITION} = g.pos"


def _stored(scan: Scan, group: FileGroup, name: str) -> str:
    """A column of the table as a value of this group's rows."""
    kind = next((c.type for c in scan.columns if c.name == name), None)
    if kind is None:
        raise _unsupported("Deleted rows are told by a column that the table no longer has")
    return _column(scan, group, name, kind).rpartition(" AS ")[0]


def _refuse_deletes(scan: Scan, group: FileGroup) -> None:
    if group.position_deletes or group.deleted_rows or group.equality_deletes:
        raise _unsupported(f"Deleted rows in files of {scan.format.value} are not read")


def _compression(location: str) -> str:
    lower = location.lower()
    for ending, name in _COMPRESSED.items():
        if lower.endswith(ending):
            return name
    if lower.endswith(_UNREADABLE):
        raise _unsupported("Files that are compressed so are not read")
    return "none"


def _in_files(scan: Scan, group: FileGroup) -> list[ScanColumn]:
    """The table's columns that these files hold, in the order in which they hold them."""
    return [
        c for c in scan.columns if c.name not in group.constants and c.name not in group.missing
    ]


def _list(urls: Sequence[str]) -> str:
    return f"[{', '.join(map(text, urls))}]"


def _unsupported(message: str) -> QueryError:
    return QueryError(ErrorName.NOT_SUPPORTED, message)
