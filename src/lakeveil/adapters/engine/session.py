"""One instance of DuckDB, opened, locked, and asserted to be locked; runs in a worker process.

`open_blank` makes one that has its extension and can wait; `Session` gives it the URLs of one
state of things and locks it for good. It may read those URLs and spill into its own directory;
reading and writing are one permission in DuckDB, and a presigned GET cannot write. Sizes in bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from lakeveil.adapters.engine.spelling import identifier, text
from lakeveil.errors import SetupError

_DISABLED = "S3FileSystem,HuggingFaceFileSystem"
_PROFILED = json.dumps({"TOTAL_BYTES_READ": "true"})
_BLANK_MEMORY = "256MiB"
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """What an instance may use."""

    memory_bytes: int
    temporary_bytes: int
    threads: int


def open_blank(
    *, extension: str, directory: Path, prelude: Sequence[str] = ()
) -> duckdb.DuckDBPyConnection:
    """An instance with httpfs loaded by path, offline; not locked yet.

    `directory` is where it will spill; `prelude` are statements of ours (macros).
    """
    directory.mkdir(mode=0o700)
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_unsigned_extensions": "false",
            "python_enable_replacements": "false",
            "memory_limit": _BLANK_MEMORY,
            "threads": "1",
            "temp_directory": str(directory),
            "preserve_insertion_order": "false",
        }
    )
    connection.execute(f"LOAD {text(extension)}")
    # Else the first look at secrets after the lock fails.
    connection.execute("SET allow_persistent_secrets = false")
    connection.execute("SET parquet_metadata_cache = true")
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET TimeZone = 'UTC'")
    for statement in prelude:
        connection.execute(statement)
    return connection


class Session:
    """A locked instance."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        directory: Path,
        urls: Sequence[str],
        limits: SessionLimits,
    ) -> None:
        """Lock a blank instance to `urls`.

        Raises:
            SetupError: it is not locked as it should be; the process must end.
        """
        self.connection = connection
        self._urls = sorted(set(urls))
        self._directory = directory
        self._limits = limits
        self._views: dict[str, str] = {}
        # Not DISABLED_FILESYSTEMS first: then external access could not be switched off any more,
        # and not the local one at all: spilling needs it.
        for setting, value in (
            ("memory_limit", text(f"{limits.memory_bytes // 1024} KiB")),
            ("max_temp_directory_size", text(f"{limits.temporary_bytes // 1024} KiB")),
            ("threads", str(limits.threads)),
            ("enable_profiling", "'no_output'"),
            # Making a view reads the ends of files, and small files whole.
            ("profiling_coverage", "'ALL'"),
            ("custom_profiling_settings", text(_PROFILED)),
            ("allowed_paths", f"[{', '.join(map(text, self._urls))}]"),
            ("enable_external_access", "false"),
            ("disabled_filesystems", text(_DISABLED)),
            ("lock_configuration", "true"),
        ):
            connection.execute(f"SET {setting} = {value}")
        self.check()
        self._check_refusals()

    def check(self) -> None:
        """Assert the lock, by what the settings say; before each job.

        Raises:
            SetupError: a setting has another value.
        """
        sizes = {
            "memory_limit": self._limits.memory_bytes,
            "max_temp_directory_size": self._limits.temporary_bytes,
        }
        wanted = self._wanted()
        found = self._settings([*wanted, *sizes])
        for setting, value in wanted.items():
            if found[setting] != value:
                raise _unlocked(f"its setting {setting} is another")
        for setting, size in sizes.items():
            if not math.isclose(_bytes(str(found[setting])), size, rel_tol=0.1):
                raise _unlocked(f"its setting {setting} is another")

    def _check_refusals(self) -> None:
        """Assert it by what is refused: once, as what the lock forbids it never gives back."""
        self._refuses("SET threads = 1", duckdb.InvalidInputException)
        # The list of disabled file systems cannot be read back; that s3: is refused can be seen.
        for path in ("/etc/hosts", "s3://bucket/key", "http://127.0.0.1:9/not/ours"):
            self._refuses(f"FROM read_text({text(path)})", duckdb.PermissionException)

    def show(self, views: Mapping[str, str]) -> int:
        """Have these views, SQL by name, and no other; returns the bytes that it read.

        One that the job before had, too, stays: to make it takes as long as to plan a query.
        """
        for name in [n for n, sql in self._views.items() if views.get(n) != sql]:
            self.forget(name)
        read = 0
        for name, sql in views.items():
            if name not in self._views:
                self.connection.execute(f"CREATE TEMP VIEW {identifier(name)} AS {sql}")
                self._views[name] = sql
                read += self.bytes_read()
        return read

    def forget(self, view: str) -> None:
        """Drop a view."""
        self._views.pop(view, None)
        self.connection.execute(f"DROP VIEW IF EXISTS {identifier(view)}")

    def bytes_read(self) -> int:
        """What the last statement read from the store, if it went well."""
        profile = json.loads(self.connection.get_profiling_information("json"))
        return int(profile.get("total_bytes_read", 0))

    def memory(self) -> int:
        """What its buffers take: the cache of files above all."""
        found = self.connection.execute(
            "SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT FROM duckdb_memory()"
        ).fetchone()
        return int(found[0]) if found else 0

    def close(self) -> None:
        """Forget it, with its cache."""
        self.connection.close()

    def _wanted(self) -> dict[str, object]:
        return {
            "enable_external_access": False,
            "lock_configuration": True,
            "allowed_configs": [],
            "allowed_paths": self._urls,
            "allowed_directories": [f"{self._directory}/"],
            "temp_directory": str(self._directory),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_unsigned_extensions": False,
            "allow_persistent_secrets": False,
            "python_enable_replacements": False,
            "threads": self._limits.threads,
            "TimeZone": "UTC",
        }

    def _settings(self, names: Sequence[str]) -> dict[str, object]:
        shown = ", ".join(f"current_setting('{name}')" for name in names)
        found = self.connection.execute(f"SELECT {shown}").fetchone() or ()
        return {
            name: sorted(value) if isinstance(value, list) else value
            for name, value in zip(names, found, strict=True)
        }

    def _refuses(self, statement: str, how: type[Exception]) -> None:
        try:
            self.connection.execute(statement)
        except how:
            return
        raise _unlocked("it runs what it must refuse")


def _bytes(size: str) -> float:
    number, _, unit = size.partition(" ")
    return float(number) * _UNITS.get(unit, 0)


def _unlocked(why: str) -> SetupError:
    return SetupError("the engine is not locked", why=why, fix="report it", code="engine_unlocked")
