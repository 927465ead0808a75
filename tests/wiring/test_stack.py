"""Which processes make up the stack, by the settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lakeveil.adapters.child import ChildSpec
from lakeveil.adapters.credentials import ensure_credentials
from lakeveil.errors import UsageError
from lakeveil.settings import Settings, load_settings
from lakeveil.wiring.stack import children, default_workers, wanted_ports


def configured(tmp_path: Path, toml: str) -> Settings:
    file = tmp_path / "lakeveil.toml"
    file.write_text(f'home = "{tmp_path / "home"}"\n{toml}')
    return load_settings(file)[0]


def table(settings: Settings, *, workers: int = 2) -> dict[str, ChildSpec]:
    rows = children(
        settings,
        ensure_credentials(settings.home_path),
        workers=workers,
        config_file=Path("/etc/lakeveil.toml"),
        environ=os.environ,
    )
    return {row.name: row for row in rows}


def test_by_default_everything_runs_here(tmp_path: Path) -> None:
    settings = configured(tmp_path, "")
    assert list(table(settings)) == [
        *("weed", "nats", "bridge", "keys", "reconcile", "worker-1", "worker-2", "http")
    ]
    assert set(wanted_ports(settings)) == {
        f"ports.{name}" for name in settings.ports.__struct_fields__
    }


def test_another_store_needs_no_bridge_no_keys_and_no_ports_of_ours(tmp_path: Path) -> None:
    settings = configured(tmp_path, '[store]\nendpoint = "https://s3.example.org"\n')
    assert list(table(settings, workers=1)) == ["nats", "reconcile", "worker-1", "http"]
    assert set(wanted_ports(settings)) == {"ports.nats", "ports.http"}


def test_another_queue_needs_no_server_of_ours(tmp_path: Path) -> None:
    settings = configured(tmp_path, '[queue]\nurl = "nats://queue.example.org:4222"\n')
    assert "nats" not in table(settings)
    assert "ports.nats" not in wanted_ports(settings)


def test_our_own_parts_read_the_same_settings_file(tmp_path: Path) -> None:
    rows = table(configured(tmp_path, ""))
    for name in ("bridge", "keys", "reconcile", "worker-1", "http"):
        argv = list(rows[name].argv)
        assert argv[argv.index("--config") + 1] == "/etc/lakeveil.toml"


def test_buckets_of_the_lake_are_made_beside_those_of_photos(tmp_path: Path) -> None:
    settings = configured(tmp_path, '[lake]\nbucket = "tables"\n')
    argv = table(settings)["weed"].argv
    assert "-bucket=lake-results,photos,photos-released,tables" in argv


@pytest.mark.parametrize(
    "toml",
    [
        'bucket = "photos"',
        'bucket = "photos-released"',
        'results_bucket = "photos"',
        'bucket = "lake-results"',
        'bucket = "*"',
        'results_bucket = "a/b"',
    ],
)
def test_a_bucket_of_the_lake_that_others_have_or_that_is_none_is_refused(
    tmp_path: Path, toml: str
) -> None:
    settings = configured(tmp_path, f"[lake]\n{toml}\n")
    with pytest.raises(UsageError, match=r"lake\.(bucket|results_bucket)"):
        table(settings)


def test_every_need_and_every_log_is_in_the_table(tmp_path: Path) -> None:
    settings = configured(tmp_path, "")
    rows = table(settings)
    assert {need for row in rows.values() for need in row.needs} <= set(rows)
    assert len({row.log for row in rows.values()}) == len(rows)
    assert {row.log.parent for row in rows.values()} == {settings.home_path / "logs"}


@pytest.mark.parametrize(("reserved", "most"), [(1, 1), (1000, os.cpu_count() or 1)])
def test_there_are_no_more_workers_than_may_work_or_than_cores(
    tmp_path: Path, reserved: int, most: int
) -> None:
    settings = configured(tmp_path, f"[worker]\nreserved_concurrent_executions = {reserved}\n")
    assert 1 <= default_workers(settings) <= most
