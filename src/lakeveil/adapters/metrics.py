"""What this installation counts, for Prometheus; one sum over every process that counts.

Processes share a directory of small files, one set for each that runs. Their names are slots and
not process ids: a worker that is started again goes on where the last one stopped, so counters
never fall, and a crash loop cannot fill the disk.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from lakeveil.adapters.credentials import private_directory
from lakeveil.core.faces import Detections, Face
from lakeveil.core.outcomes import PhotoRecord

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_STAGE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

Labels = tuple[tuple[str, str], ...]
"""(name, value) pairs."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value that holds now, asked for when somebody scrapes."""

    name: str
    help: str
    values: Mapping[Labels, float]


class Meter:
    """Counts what happens. Thread-safe; a count costs microseconds.

    On its own it keeps its counts in memory; `shared_meter` makes one whose counts are part of
    those of the whole installation.
    """

    def __init__(self, *, directory: Path | None = None) -> None:
        self._directory = directory
        registry = self._registry = CollectorRegistry()
        self._photos = Counter(
            "lakeveil_photos",
            "Photos that came to an outcome.",
            ["collection", "outcome", "reason"],
            registry=registry,
        )
        self._stages = Histogram(
            "lakeveil_photo_stage_seconds",
            "Time a photo spent in each stage.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self._detections = Counter(
            "lakeveil_detections",
            "Frames on which a detector completed its look.",
            ["detector"],
            registry=registry,
        )
        self._faces = Counter(
            "lakeveil_faces",
            "Faces found, by the network that was surest of them.",
            ["network"],
            registry=registry,
        )
        self._retries = Counter(
            "lakeveil_retries", "Photos put back to be tried again.", registry=registry
        )
        self._buried = Counter(
            "lakeveil_messages_buried", "Messages moved to the dead letters.", registry=registry
        )
        self._requests = Counter(
            "lakeveil_http_requests",
            "HTTP requests answered; `code` is the AWS error code or the HTTP status.",
            ["door", "operation", "code"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "lakeveil_http_request_seconds",
            "Time from a request's head to its answer.",
            ["door", "operation"],
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )

    def photo(self, record: PhotoRecord) -> None:
        """A photo came to its outcome."""
        self._photos.labels(record.collection, record.outcome.value, record.reason_code).inc()
        for stage, milliseconds in record.timings_ms.items():
            self._stages.labels(stage).observe(milliseconds / 1000)
        if record.detector:
            self._looked(record.detector, record.frames, record.faces)

    def looked(self, detections: Detections) -> None:
        """A detector looked at a frame outside the photo path."""
        self._looked(detections.detector, 1, detections.faces)

    def retried(self) -> None:
        """A photo was put back to be tried again."""
        self._retries.inc()

    def buried(self) -> None:
        """A message was moved to the dead letters."""
        self._buried.inc()

    def request(self, *, door: str, operation: str, code: str, seconds: float) -> None:
        """A request was answered. `operation` and `code` come from a fixed vocabulary."""
        self._requests.labels(door, operation, code).inc()
        self._request_seconds.labels(door, operation).observe(seconds)

    def render(self, gauges: Iterable[Gauge] = ()) -> bytes:
        """Everything counted so far, by every process, in Prometheus's text format."""
        registry = self._registry
        if self._directory is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=str(self._directory))  # type: ignore[no-untyped-call]
        now = CollectorRegistry()
        now.register(_Now(list(gauges)))
        return generate_latest(registry) + generate_latest(now)

    def _looked(self, detector: str, frames: int, faces: Iterable[Face]) -> None:
        self._detections.labels(detector).inc(frames)
        for face in faces:
            self._faces.labels(face.network).inc()


def shared_meter(home: Path) -> Meter:
    """A meter whose counts every process of the installation in `home` shares.

    Call it once, early in a process: from then on all Prometheus metrics of this process are
    kept in files under `home`.
    """
    directory = private_directory(private_directory(home) / "metrics")
    os.environ[_DIRECTORY_VARIABLE] = str(directory)
    slot = _take_slot(directory)
    _drop_damaged(directory, slot)
    # The library decides at its import, by the environment: said again, in case it was earlier.
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: slot)  # type: ignore[no-untyped-call]
    return Meter(directory=directory)


_held: list[int] = []
"""Open files whose locks mark our slots as taken; the kernel frees them when we die."""


def _take_slot(directory: Path) -> str:
    for number in range(10_000):
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(directory / f"slot-{number}.lock", flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        _held.append(descriptor)
        return f"slot{number}"
    raise RuntimeError("ten thousand processes count already")


def _drop_damaged(directory: Path, slot: str) -> None:
    # Files torn by a power cut: counts are lost then, but nothing else may fail for it.
    for path in directory.glob(f"*_{slot}.db"):
        if not _is_whole(path):
            path.unlink()


def _is_whole(path: Path) -> bool:
    """Whether the library can read the file and write on: a length, then named numbers."""
    size = path.stat().st_size
    if size == 0:
        return True
    try:
        with path.open("rb") as file:
            used: int = struct.unpack("i", file.read(4))[0]
        found = MmapedDict.read_all_values_from_file(str(path))  # type: ignore[no-untyped-call]
        for key, *_ in found:
            json.loads(key)
    except (RuntimeError, ValueError, struct.error):
        return False
    return used == 0 or 8 <= used <= size  # noqa: PLR2004 - the first entry's offset


class _Now(Collector):
    def __init__(self, gauges: list[Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for gauge in self._gauges:
            names = [name for name, _ in next(iter(gauge.values), ())]
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=names)
            for labels, value in gauge.values.items():
                family.add_metric([text for _, text in labels], value)
            yield family
