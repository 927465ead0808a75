"""The guard with one rule taken out, many times over: each has to be noticed.

A mutant is a module's source with something replaced, run in a process of its own. `evidence` are
statements of the file, of which one must turn out wrong; where there are none, the fuzzer has to
notice. `python -m tests.hostile.mutants NAME...` prints by what each was caught, as JSON.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

SQL = "lakeveil.sql."
QUERIES = 250
"""So many the fuzzer may need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault."""

    name: str
    module: str
    old: str
    new: str
    evidence: tuple[str, ...] = ()


def _of(name: str, module: str, old: str, new: str, *evidence: str) -> Mutant:
    return Mutant(name=name, module=module, old=old, new=new, evidence=evidence)


MUTANTS: tuple[Mutant, ...] = (
    _of(
        "the tree is not checked",
        f"{SQL}guard",
        "    allowed.check(tree, query.whole, call_allowed)\n",
        "",
        "SELECT * EXCLUDE (id) FROM orders",
        "SELECT current_setting('allowed_paths')",
    ),
    _of(
        "any part of a node passes",
        f"{SQL}allowed",
        "if value is not None and value is not False and value != [] and name not in parts:",
        "if False:",
        "SELECT * EXCLUDE (id) FROM orders",
        "SELECT * FROM orders UNION ALL BY NAME SELECT 1 AS zz_secret",
    ),
    _of(
        "any node passes",
        f"{SQL}allowed",
        "            raise _refused(node, text)\n        stack.extend",
        "            pass\n        stack.extend",
        "SELECT U&'\\0041' FROM orders LIMIT 1",
    ),
    _of(
        "a table may be a call",
        f"{SQL}allowed",
        "    exp.Table: _table,\n",
        "",
        "SELECT * FROM read_parquet('{url}')",
        "SELECT * FROM duckdb_views()",
    ),
    _of(
        "any function passes",
        f"{SQL}functions",
        "    if not isinstance(node, exp.Func) or type(node) in _SYNTAX:\n        return\n",
        "    return\n",
        "SELECT getenv('HOME')",
        "SELECT current_setting('allowed_paths')",
        "SELECT version()",
    ),
    _of(
        "refused functions pass",
        f"{SQL}functions",
        "if function.status is Status.REFUSED:",
        "if False:",
        "SELECT version()",
        "SELECT fail(note) FROM orders",
    ),
    _of(
        "conditions are not checked",
        f"{SQL}guard",
        "    conditions.check(resolved)\n",
        "",
        "SELECT id FROM orders WHERE note",
    ),
    _of(
        "hidden columns have names",
        "lakeveil.core.access.deciding.decision",
        "if c.outcome is not Outcome.HIDDEN)",
        "if self)",
        "SELECT zz_secret FROM orders",
    ),
    _of(
        "a column that isn't there is the first",
        f"{SQL}scopes",
        "        here = here.outer\n    raise not_found(parts, place)",
        "        here = here.outer\n    return scope.sources[0].fields[0], []",
        "SELECT zz_secret FROM orders",
    ),
    _of(
        "an unknown table is taken for one",
        f"{SQL}sources",
        "        if relation is not None:\n            return relation\n",
        '        relation = relation or Relation(name=TableName("", "", name), columns=())\n'
        "        return relation\n",
        "SELECT * FROM zz_vault",
        'SELECT * FROM "{url}"',
    ),
    _of(
        "tables keep their own names",
        f"{SQL}sources",
        '    node.set("this", exp.Identifier(this=name, quoted=True))\n    node.set("alias", table',
        '    node.set("alias", table',
        "SELECT count(*) FROM orders",
    ),
    _of(
        "hidden databases are known",
        f"{SQL}sources",
        "if not database or not self._catalog.has_database(database):",
        "if not database:",
        "SELECT * FROM zz_hr.people",
    ),
    _of(
        "other catalogs are ours",
        f"{SQL}sources",
        "elif catalog and catalog not in self._catalogs:",
        "elif False:",
        "SELECT * FROM hive.lake.orders",
        "SELECT * FROM memory.main.orders",
    ),
    _of(
        "metadata tables answer as others do",
        f"{SQL}sources",
        'if "$" in name:',
        "if False:",
        'SELECT * FROM "orders$files"',
    ),
    _of(
        "what is wrong in a view is told",
        f"{SQL}sources",
        "        except QueryError:\n            # What is wrong",
        "        except ZeroDivisionError:\n            # What is wrong",
        "SELECT * FROM leaky",
    ),
    _of(
        "a view is expanded with its owner's rights",
        f"{SQL}sources",
        "        if relation is not None:\n            return relation\n",
        "        if at.inside and relation is None:\n"
        "            from lakeveil.sql.relations import RelationColumn\n"
        "            columns = (RelationColumn('code', 'string'),)\n"
        "            there = TableName('111111111111', database, name)\n"
        "            return Relation(name=there, columns=columns)\n"
        "        if relation is not None:\n            return relation\n",
        "SELECT * FROM over_vault",
    ),
    _of(
        "a view's text is not checked",
        f"{SQL}sources",
        "        allowed.check(inner.this, text, call_allowed)\n",
        "",
        "SELECT * FROM asks_engine",
        "SELECT * FROM files",
        "SELECT * FROM starred",
    ),
    _of(
        "the query's own tables stand in its views",
        f"{SQL}sources",
        "            inside=(*at.inside, relation.name),\n",
        "            inside=(*at.inside, relation.name),\n            common=at.common,\n",
        "WITH orders AS (SELECT 'mine' AS region, 7 AS amount) SELECT * FROM eu_totals",
    ),
    _of(
        "time travel in any table",
        f"{SQL}sources",
        "if when is not None and not relation.iceberg:",
        "if False:",
        "SELECT * FROM cities FOR VERSION AS OF 1",
    ),
    _of(
        "time travel goes forward",
        f"{SQL}time_travel",
        "if moment.timestamp() > now:",
        "if False:",
        "SELECT * FROM orders FOR TIMESTAMP AS OF TIMESTAMP '2999-01-01 00:00:00 UTC'",
    ),
    _of(
        "a state is told by an expression",
        f"{SQL}time_travel",
        "if not (isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit()):",
        "if not value.name.isdigit() and False:",
        "SELECT * FROM orders FOR VERSION AS OF 'main'",
    ),
    _of(
        "parameters are pasted as text",
        f"{SQL}parse",
        "    return _statement(bound(words, parameters))",
        '    return _statement(read(text.replace("?", (*parameters, "?")[0])))',
        "SELECT id FROM orders WHERE note = ?",
    ),
    _of(
        "a parameter goes on behind its constant",
        f"{SQL}parameters",
        "    words.end()\n    tokens =",
        "    tokens =",
        "SELECT id FROM orders WHERE note = ?",
    ),
    _of(
        "a check that was kept serves everybody",
        f"{SQL}kept",
        "before.query is query and before.answers.are_those_of(catalog)",
        "before.query is query",
        "SELECT zz_secret FROM orders",
    ),
    _of(
        "the row filter is dropped",
        f"{SQL}governed",
        "where=_rows(decision.rows, table))",
        'where="TRUE")',
        "SELECT count(*) FROM orders",
    ),
    _of(
        "a view shows all rows",
        "lakeveil.adapters.engine.sources",
        " FROM ({source}) WHERE ({view.where})",
        " FROM ({source})",
        "SELECT count(*) FROM orders",
    ),
    _of(
        "masks are off",
        f"{SQL}governed",
        "cases.append((_rows(rows, table), _masked(value, mask, hive, kind, key)))",
        "cases.append((_rows(rows, table), value))",
        "SELECT substr(card, 1, 12) FROM orders",
    ),
    _of(
        "columns show in every row",
        f"{SQL}governed",
        "    if column.visible.every and kind == hive:",
        "    if column.visible and kind == hive:",
        "SELECT count(phone) FROM orders",
    ),
    _of(
        "a hash has no key",
        f"{SQL}governed",
        'return f"sha256({text(key)} || {inner})"',
        "return inner",
        "SELECT substr(card, 1, 12) FROM orders",
    ),
    _of("NOT is dropped from a filter", f"{SQL}governed", 'return f"NOT ({_', 'return f"({_'),
    _of(
        "OR is taken for AND in a filter",
        f"{SQL}governed",
        '" OR ".join(f"({_',
        '" AND ".join(f"({_',
    ),
    _of(
        "the first of several masks wins in every row",
        f"{SQL}governed",
        "cases.append((_rows(rows, table), _masked",
        'cases.append(("TRUE", _masked',
    ),
)


class _Patched(importlib.machinery.SourceFileLoader):
    """Loads a module with something replaced in its source."""

    def __init__(self, mutant: Mutant, name: str, path: str) -> None:
        super().__init__(name, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        source = Path(self.path).read_text("utf-8")
        if source.count(self._mutant.old) != 1:
            raise LookupError(f"{self._mutant.name}: the source is another now")
        return compile(source.replace(self._mutant.old, self._mutant.new), self.path, "exec")


class _Finder(MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 - the protocol's
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        if found is None or found.origin is None:
            raise LookupError(fullname)
        loader = _Patched(self._mutant, fullname, found.origin)
        return importlib.util.spec_from_file_location(
            fullname,
            found.origin,
            loader=loader,
            submodule_search_locations=found.submodule_search_locations,
        )


def caught_by(mutant: Mutant | None) -> str:
    """In a process that has not imported the guard yet: what notices, empty if nothing does."""
    if mutant is not None:
        if any(name == mutant.module for name in sys.modules):
            raise LookupError(f"{mutant.module} was imported too early")
        sys.meta_path.insert(0, _Finder(mutant))
    from tests.hostile.attempts import statements
    from tests.hostile.canary_lake import OWNER, canary_lake
    from tests.hostile.in_process import GuardAlone, Permitted, asked
    from tests.hostile.judging import wrong

    if mutant is None or mutant.evidence:
        lake = canary_lake()
        owner = canary_lake(OWNER)
        permitted = Permitted(lake)
        with tempfile.TemporaryDirectory() as directory:
            guard = GuardAlone(lake, Path(directory))
            for plain in statements():
                if mutant is None or plain.sql in mutant.evidence:
                    one = plain.knowing(guard.known)
                    try:
                        # What is kept of who may ask it must not serve who may not.
                        asked(one, owner)
                        why = wrong(one, guard.tried(one), permitted)
                    except Exception as error:  # noqa: BLE001 - a fault is noticed, too
                        why = type(error).__name__
                    if why and not plain.stopped:
                        return f"{plain.sql}: {why}"
        return ""
    from tests.hostile.fuzz import Campaign

    campaign = Campaign(seed=1)
    for _ in range(QUERIES // 25):
        campaign.seed += 1
        campaign.go(25, a_world=5)
        if campaign.wrong:
            return "the fuzzer: " + campaign.wrong[0].splitlines()[0]
    return ""


def main(names: Sequence[str]) -> None:
    """Fork one process for each."""
    _import_what_is_not_broken()
    found: dict[str, str] = {}
    for mutant in MUTANTS:
        if names and mutant.name not in names:
            continue
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            random.seed(0)
            try:
                said = caught_by(mutant)
            except LookupError as error:
                said = f"LOST {error}"
            os.write(writing, said.encode()[:4000])
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            found[mutant.name] = answer.read().decode()
        os.waitpid(child, 0)
        sys.stderr.write(f"{mutant.name}: {found[mutant.name] or 'SURVIVES'}\n")
    json.dump(found, sys.stdout)


def _import_what_is_not_broken() -> None:
    """What every process would import anew."""
    for name in ("duckdb", "pyarrow.parquet", "sqlglot.dialects.trino", "sqlglot.dialects.duckdb"):
        importlib.import_module(name)
    for name in ("sqlglot.optimizer.annotate_types", "sqlglot.optimizer.qualify", "yaml"):
        importlib.import_module(name)
    _: Any = importlib.import_module("structlog")


if __name__ == "__main__":
    main(sys.argv[1:])
