"""Settings: defaults, then `lakeveil.toml`, then the environment; each value keeps its origin.

An environment variable is `LAKEVEIL_` and the dotted name in capitals with `__` between the
levels: `LAKEVEIL_PORTS__S3=9000`. `LAKEVEIL_COLLECTIONS` takes the whole list as JSON.
Unknown names are refused, in the file and in the environment: a typo never goes unnoticed.
"""

from __future__ import annotations

import difflib
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_type_hints

import msgspec

from lakeveil.core.photos import Collection, RedactionPolicy, check_collections
from lakeveil.errors import UsageError

ENV_PREFIX = "LAKEVEIL_"
FILE_NAME = "lakeveil.toml"
# Read by other parts of Lakeveil, or by the tools around it; not settings.
_OTHER_ENV = {"LAKEVEIL_CONFIG"}


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
    admin: int = 23646
    admin_grpc: int = 33646


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """The object store. Without an `endpoint` it is the embedded one of `lakeveil up`."""

    endpoint: str = ""
    """URL of any S3-compatible store; `aws` for Amazon S3 itself."""
    region: str = "us-east-1"
    timeout_s: float = 20.0
    """For one request, connection included."""


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


class Rekognition(msgspec.Struct, frozen=True, kw_only=True):
    """The DetectFaces door. Limits are the real service's."""

    max_bytes: int = 5 * 1024 * 1024
    max_object_bytes: int = 15 * 1024 * 1024


class Http(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP server."""

    host: str = "127.0.0.1"
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    """Host headers that are answered; others are refused (DNS rebinding)."""


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


class Origins(dict[str, str]):
    """Dotted name -> where its value came from; names that are not here are defaults."""

    def of(self, name: str) -> str:
        """`default`, `lakeveil.toml` or `env NAME`."""
        return self.get(name) or next(
            (o for known, o in self.items() if name.startswith(f"{known}.")), "default"
        )


def load_settings(
    file: Path | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Settings, Origins]:
    """Read `file` (default: LAKEVEIL_CONFIG or ./lakeveil.toml, if there) and the environment.

    Raises:
        UsageError: an unknown name, a value of the wrong type, or a file that is no TOML.
    """
    environ = environ or {}
    origins = Origins()
    tree: dict[str, Any] = {}
    path = file or Path(environ.get("LAKEVEIL_CONFIG") or FILE_NAME)
    if path.exists():
        tree = _read_toml(path)
        _refuse_unknown(tree, Settings, path.name)
        origins.update(dict.fromkeys(_leaves(tree), path.name))
    elif file is not None or "LAKEVEIL_CONFIG" in environ:
        raise UsageError(
            f"there is no settings file `{path}`",
            why="it was named explicitly",
            fix="correct the path, or leave it out to use defaults",
        )
    _convert(tree, path.name)
    for variable, text in sorted(environ.items()):
        if variable.startswith(ENV_PREFIX) and variable not in _OTHER_ENV:
            name = _apply_environment(tree, variable, text)
            origins[name] = f"env {variable}"
    settings = _convert(tree, "the environment")
    settings.photo_collections()
    return settings, origins


def setting_rows(settings: Settings, origins: Origins) -> Iterator[dict[str, Any]]:
    """One row per value: `name`, `value`, `origin`; what `lakeveil config show` prints."""
    for name, value in _leaves(msgspec.to_builtins(settings)).items():
        yield {"name": name, "value": value, "origin": origins.of(name)}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"`{path}` is not a valid settings file",
            why=str(error),
            fix="correct it at that place; it must be TOML in UTF-8",
        ) from error


def _convert(tree: Mapping[str, Any], where: str) -> Settings:
    try:
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        name = path.rstrip("`").lstrip(".") or "the file"
        raise UsageError(
            f"`{name}` in {where} has a wrong value",
            why=message,
            fix="see docs/reference/settings.md, or `lakeveil config show`",
        ) from error


def _apply_environment(tree: dict[str, Any], variable: str, text: str) -> str:
    keys = variable.removeprefix(ENV_PREFIX).lower().split("__")
    kind: Any = Settings
    for i, key in enumerate(keys):
        fields = _fields(kind)
        if key not in fields:
            raise _unknown(
                variable, ".".join([*keys[:i], key]), [".".join([*keys[:i], f]) for f in fields]
            )
        kind = fields[key]
    if _fields(kind):
        raise UsageError(
            f"`{variable}` names a group of settings",
            why=f"`{'.'.join(keys)}` has no value of its own",
            fix=f"set a member of it, such as `{variable}__{next(iter(_fields(kind))).upper()}`",
        )
    node = tree
    for key in keys[:-1]:
        node = node.setdefault(key, {})
    node[keys[-1]] = _parse(variable, text) if "tuple" in str(kind) else text
    if keys == ["collections"]:
        _refuse_unknown({"collections": node["collections"]}, Settings, variable)
    return ".".join(keys)


def _parse(variable: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"`{variable}` is not valid JSON", why=str(error), fix="give a JSON list"
        ) from error


def _refuse_unknown(tree: Mapping[str, Any], kind: Any, where: str, path: str = "") -> None:
    fields = _fields(kind)
    for key, value in tree.items():
        if key not in fields:
            raise _unknown(where, f"{path}{key}", [f"{path}{f}" for f in fields])
        inner = CollectionSettings if f"{path}{key}" == "collections" else fields[key]
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping) and _fields(inner):
                _refuse_unknown(item, inner, where, f"{path}{key}.")


def _unknown(where: str, name: str, known: list[str]) -> UsageError:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(sorted(known))}"
    return UsageError(
        f"`{name}` in {where} is not a setting", why="unknown names are refused", fix=hint
    )


def _fields(kind: Any) -> dict[str, Any]:
    """Field name -> type, for our settings structs and the policy; {} for plain values."""
    if kind is RedactionPolicy or (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return get_type_hints(kind)
    return {}


def _leaves(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found.update(_leaves(value, f"{path}{key}."))
        elif isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
            for item in value:
                found.update(_leaves(item, f"{path}{key}.{item.get('name', '?')}."))
        else:
            found[f"{path}{key}"] = value
    return found


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
