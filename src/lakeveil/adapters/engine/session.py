"""One instance of DuckDB, opened, locked, and asserted to be locked; runs in a worker process.

`open_blank` makes one that has its extension and can wait; `Session` gives it the URLs of one
state of things and locks it for good. It may read those URLs and spill into its own directory;
reading and writing are one permission in DuckDB, and a presigned GET cannot write. Sizes in bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from lakeveil.adapters.engine.spelling import text
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

    def check(self) -> None:
        """Assert the lock, by what the settings say and by what is refused.

        Raises:
            SetupError: a setting has another value, or something that is forbidden went through.
        """
        for setting, wanted in self._wanted().items():
            found = self._setting(setting)
            if found != wanted:
                raise _unlocked(f"its setting {setting} is another")
        for setting, size in (
            ("memory_limit", self._limits.memory_bytes),
            ("max_temp_directory_size", self._limits.temporary_bytes),
        ):
            if not math.isclose(_bytes(str(self._setting(setting))), size, rel_tol=0.1):
                raise _unlocked(f"its setting {setting} is another")
        self._refuses("SET threads = 1", duckdb.InvalidInputException)
        # The list of disabled file systems cannot be read back; that s3: is refused can be seen.
        for path in ("/etc/hosts", "s3://bucket/key", "http://127.0.0.1:9/not/ours"):
            self._refuses(f"FROM read_text({text(path)})", duckdb.PermissionException)

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

    def _setting(self, name: str) -> object:
        found = self.connection.execute(f"SELECT current_setting('{name}')").fetchone()
        value = found[0] if found else None
        return sorted(value) if isinstance(value, list) else value

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
