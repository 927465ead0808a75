"""Everything that can be set, with its default. The reference page is written from this file."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Literal

import msgspec

from lakeveil.core.photos import Collection, RedactionPolicy, check_collections
from lakeveil.errors import UsageError

SHORTEST_STORE_SESSION_S, LONGEST_STORE_SESSION_S = 900, 3600
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Policies name what they open as `arn:aws:s3:::`, so a role of another partition opens nothing.
_ROLE_ARN = re.compile(r"arn:aws:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
_AWS_HOST = re.compile(r"https?://[^/?#@]*\.amazonaws\.com(?::\d+)?(?:/.*)?", re.IGNORECASE)
# A secret comes back from there.
_STS_URL = re.compile(r"https://\S+|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?(?:/\S*)?")


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Loopback ports of the embedded stack; each is checked before anything starts."""

    s3: int = 8333
    """The object store's S3 API."""
    http: int = 8190
    """Health, metrics and the AWS doors."""
    nats: int = 4222
    """The queue."""
    s3_grpc: int = 18333
    filer: int = 8888
    filer_grpc: int = 18888
    master: int = 9333
    master_grpc: int = 19333
    volume: int = 9340
    volume_grpc: int = 19340
    admin: int = 13646
    admin_grpc: int = 23646
    """Always 10000 above `admin`; outgoing connections take ports from 32768 on."""


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """The object store. Without an `endpoint` it is the embedded one of `lakeveil up`."""

    endpoint: str = ""
    """URL of any S3-compatible store; `aws` for Amazon S3 itself."""
    region: str = "us-east-1"
    timeout_s: float = 20.0
    """For one request, connection included."""
    keys: Literal["", "seaweedfs", "aws", "none"] = ""
    """Who lets issued keys into the store; empty: `seaweedfs` for the embedded one, else `none`."""
    role_arn: str = ""
    """`keys = "aws"`: the role that sessions are made of; it may use the lake's buckets alone."""
    sts_endpoint: str = ""
    """`keys = "aws"`: URL of the STS that makes them; empty: AWS's own in `region`."""
    session_longest_s: int = LONGEST_STORE_SESSION_S
    """`keys = "aws"`: 900 to 3600. One that was revoked opens the store that long at worst."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """The durable queue between events and workers. Names follow SQS."""

    kind: Literal["jetstream", "sqs"] = "jetstream"
    url: str = ""
    """NATS URL or SQS queue URL; empty: the embedded server of `lakeveil up`."""
    dead_letter_url: str = ""
    """SQS only: URL of the dead-letter queue."""
    token_file: str = ""
    """NATS only: a file with the authorisation token."""
    visibility_timeout_s: float = 60.0
    """A lease; it is extended while the photo is being worked on."""
    max_receive_count: int = 5
    """Receives after which a message goes to the dead letters."""


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """How photos are worked on. Names follow Lambda."""

    reserved_concurrent_executions: int = 2
    """Photos in work at once over every worker process; never exceeded."""
    batch_size: int = 1
    """Messages per invocation."""
    detections_per_second: float = 0.0
    """A limit shared by every worker; 0: none."""
    timeout_s: float = 60.0
    """Wall-clock limit for one photo; beyond it the photo is quarantined."""
    memory_size_mib: int = 2048
    """Memory limit of the process that decodes one photo; beyond it the photo is quarantined."""
    detector_threads: int = 1
    """Threads of one detector. More shorten a single photo and lower the total throughput."""


class PhotoLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a file may ask of us before any decoder runs; beyond it the photo is quarantined."""

    max_bytes: int = 100 * 1024 * 1024
    max_frame_pixels: int = 100_000_000
    max_frames: int = 500
    max_total_pixels: int = 200_000_000
    """Frames times pixels."""


class Reconcile(msgspec.Struct, frozen=True, kw_only=True):
    """Events may be lost; the listing is the truth."""

    every_s: float = 300.0
    grace_s: float = 30.0
    """Younger objects are left to their events."""


class Lake(msgspec.Struct, frozen=True, kw_only=True):
    """Buckets of tables, apart from those of photos. `lakeveil up` makes them."""

    bucket: str = "lake"
    """Tables' data. No key of a user may read it but for folders that a policy names."""
    results_bucket: str = "lake-results"
    """Workgroups' outputs, a folder for each."""


class Sql(msgspec.Struct, frozen=True, kw_only=True):
    """Queries. Each runs in a process of its own, which is killed when it goes beyond a limit."""

    concurrent_queries: int = 2
    """Queries of one server that run at once; others wait."""
    waiting_queries: int = 200
    """Queries of a workgroup that may wait."""
    timeout_s: float = 1800.0
    memory_size_mib: int = 2048
    """Memory of one query; what is larger is written to a temporary directory."""
    temporary_size_mib: int = 10240
    threads: int = 2
    """Threads of one query."""
    processes: int = 8
    """Processes that are kept, each for one caller, so that what it has read stays at hand."""
    price_per_tib: float = 5.0
    """What a TiB scanned costs, in the currency of your reports."""
    require_landlock: bool = False
    """Refuse to start where the kernel cannot confine queries' processes; else it is only said."""


class Rekognition(msgspec.Struct, frozen=True, kw_only=True):
    """The DetectFaces door. Limits are the real service's."""

    max_bytes: int = 5 * 1024 * 1024
    max_object_bytes: int = 15 * 1024 * 1024


class Http(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP server."""

    host: str = "127.0.0.1"
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    """Host headers that are answered; others are refused (DNS rebinding)."""
    certificate: str = ""
    """PEM file with the server's certificate and those between it and its authority: HTTPS."""
    key: str = ""
    """PEM file with the certificate's private key."""


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes write to their logs."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """Traces leave only when an endpoint is set."""

    otlp_endpoint: str = ""
    """OpenTelemetry over HTTP, such as http://127.0.0.1:4318; else OTEL_EXPORTER_OTLP_ENDPOINT."""


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """The detectors' weights."""

    dir: str = ""
    """Where `lakeveil models install` puts them; empty: inside this Python environment."""


class CollectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A source of photos and where its releases go, under the same key."""

    name: str
    source: str
    """`s3://bucket` or `s3://bucket/prefix/`."""
    release: str
    """`s3://bucket`; never one that a collection reads from."""
    review_share: float = 0.02
    """Random share (0 to 1) of the releases that is offered for human review."""
    policy: RedactionPolicy = RedactionPolicy()


_DEFAULT_COLLECTION = CollectionSettings(
    name="photos", source="s3://photos", release="s3://photos-released"
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set. See docs/reference/settings.md, generated from this."""

    home: str = ".lakeveil"
    """State of this installation: credentials, data, logs, sockets. Mode 0700."""
    database: str = ""
    """SQLAlchemy URL of our state; empty: SQLite in `home`."""
    ports: Ports = Ports()
    store: Store = Store()
    queue: Queue = Queue()
    worker: Worker = Worker()
    limits: PhotoLimits = PhotoLimits()
    reconcile: Reconcile = Reconcile()
    lake: Lake = Lake()
    sql: Sql = Sql()
    rekognition: Rekognition = Rekognition()
    http: Http = Http()
    log: Log = Log()
    telemetry: Telemetry = Telemetry()
    models: Models = Models()
    collections: tuple[CollectionSettings, ...] = (_DEFAULT_COLLECTION,)

    @property
    def home_path(self) -> Path:
        """`home`, absolute."""
        return Path(self.home).absolute()

    @property
    def embedded_store(self) -> bool:
        """Whether the object store is the one `lakeveil up` runs."""
        return not self.store.endpoint

    @property
    def embedded_queue(self) -> bool:
        """Whether the queue is the one `lakeveil up` runs."""
        return self.queue.kind == "jetstream" and not self.queue.url

    @property
    def s3_endpoint(self) -> str | None:
        """URL of the store's S3 API; None for Amazon S3 itself."""
        if self.embedded_store:
            return f"http://127.0.0.1:{self.ports.s3}"
        return None if self.store.endpoint == "aws" else self.store.endpoint

    @property
    def nats_url(self) -> str:
        """URL of the JetStream server."""
        return self.queue.url or f"nats://127.0.0.1:{self.ports.nats}"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of our state."""
        return self.database or f"sqlite:///{self.home_path / 'state.db'}"

    @property
    def models_path(self) -> Path:
        """Where the weights lie."""
        return Path(self.models.dir or Path(sys.prefix) / "share" / "lakeveil" / "models")

    def photo_collections(self) -> tuple[Collection, ...]:
        """The collections, checked against loops and overlaps.

        Raises:
            UsageError: an address is malformed, or collections would feed each other.
        """
        every = tuple(_collection(c) for c in self.collections)
        check_collections(every)
        return every

    def store_keys(self) -> Literal["seaweedfs", "aws", "none"]:
        """Who lets issued keys into the store, checked against what is said of the store.

        Raises:
            UsageError: what is set does not fit together, or is no role, URL or duration.
        """
        kind = self.store.keys or ("seaweedfs" if self.embedded_store else "none")
        if self.embedded_store != (kind == "seaweedfs"):
            raise UsageError(
                f"`store.keys` is `{kind}`, and the store is "
                + ("the embedded one" if self.embedded_store else f"`{self.store.endpoint}`"),
                why="the embedded store takes issued keys by itself, and no other does",
                fix="leave `store.keys` out, or correct `store.endpoint`",
            )
        if kind == "aws":
            _check_aws_keys(self.store)
        else:
            _refuse_aws_keys(self.store, kind)
        return kind

    def lake_buckets(self) -> tuple[str, str]:
        """The buckets of tables and of results, checked to be apart from those of photos.

        Raises:
            UsageError: one is a bucket of photos, both are the same, or a name is none.
        """
        every = self.photo_collections()
        photos = {name for c in every for name in (c.source_bucket, c.release_bucket)}
        bucket, results = self.lake.bucket, self.lake.results_bucket
        for field, name, taken in (
            ("bucket", bucket, photos),
            ("results_bucket", results, photos | {bucket}),
        ):
            if name in taken:
                raise UsageError(
                    f"`lake.{field}` is `{name}`, which is in use",
                    why="who may read and write there would not be the same people",
                    fix="name a bucket of its own",
                )
            if not _BUCKET.fullmatch(name):
                raise UsageError(
                    f"`lake.{field}` is `{name}`",
                    why="a bucket's name has 3 to 63 small letters, digits, dots and hyphens",
                    fix="correct it",
                )
        return bucket, results


def _check_aws_keys(store: Store) -> None:
    if not _ROLE_ARN.fullmatch(store.role_arn):
        raise UsageError(
            f"`store.role_arn` is `{store.role_arn}`",
            why='`store.keys = "aws"` makes sessions of a role, and this is no ARN of one',
            fix="write it as `arn:aws:iam::123456789012:role/NAME`",
        )
    if not SHORTEST_STORE_SESSION_S <= store.session_longest_s <= LONGEST_STORE_SESSION_S:
        raise UsageError(
            f"`store.session_longest_s` is {store.session_longest_s}",
            why=f"AWS makes no session below {SHORTEST_STORE_SESSION_S} seconds, and beyond "
            f"{LONGEST_STORE_SESSION_S} a revoked one would stay open for too long",
            fix=f"choose {SHORTEST_STORE_SESSION_S} to {LONGEST_STORE_SESSION_S}",
        )
    if store.sts_endpoint and not _STS_URL.fullmatch(store.sts_endpoint):
        raise UsageError(
            f"`store.sts_endpoint` is `{store.sts_endpoint}`",
            why="secrets come back from there, so it must be an https URL, or one of this machine",
            fix="correct it, or leave it out for AWS's own",
        )
    if not (store.sts_endpoint or store.endpoint == "aws" or _AWS_HOST.fullmatch(store.endpoint)):
        raise UsageError(
            f"sessions of AWS's STS do not open `{store.endpoint}`",
            why="it is not Amazon S3",
            fix='set `store.sts_endpoint` to that store\'s STS, or `store.endpoint` to "aws"',
        )


def _refuse_aws_keys(store: Store, kind: str) -> None:
    for name in ("role_arn", "sts_endpoint", "session_longest_s"):
        if getattr(store, name) != getattr(Store(), name):
            raise UsageError(
                f"`store.{name}` is set, and `store.keys` is `{kind}`",
                why="it is for sessions of AWS's STS, which nobody would make",
                fix='set `store.keys` to "aws", or leave it out',
            )


def _collection(settings: CollectionSettings) -> Collection:
    bucket, prefix = _address(settings.name, "source", settings.source)
    release, rest = _address(settings.name, "release", settings.release)
    if rest:
        raise UsageError(
            f"collection `{settings.name}` releases into a prefix",
            why="a release keeps its original's key",
            fix=f'write release = "s3://{release}"',
        )
    if not 0 <= settings.review_share <= 1:
        raise UsageError(
            f"`review_share` of collection `{settings.name}` is {settings.review_share}",
            why="it must be a share from 0 to 1",
            fix="correct it",
        )
    return Collection(
        name=settings.name,
        source_bucket=bucket,
        source_prefix=prefix,
        release_bucket=release,
        policy=settings.policy,
        review_share=settings.review_share,
    )


def _address(collection: str, field: str, url: str) -> tuple[str, str]:
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise UsageError(
            f"`{field}` of collection `{collection}` is `{url}`",
            why="it must be an address such as s3://bucket/prefix/",
            fix="correct it",
        )
    return bucket, prefix
