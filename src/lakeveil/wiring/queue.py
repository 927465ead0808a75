"""The queue and the limits that the settings ask for."""

from __future__ import annotations

from pathlib import Path

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.credentials import load_credentials
from lakeveil.adapters.database import open_database
from lakeveil.adapters.limiter import SqlLimiter
from lakeveil.errors import SetupError, UsageError
from lakeveil.ports import Limiter, Queue
from lakeveil.settings import Settings


def open_queue(settings: Settings) -> Queue:
    """The queue between events and workers; it connects on first use. Close it at the end.

    Raises:
        SetupError: the credentials or the token file are not there.
        UsageError: the settings do not name the queue.
    """
    lease_s = settings.queue.visibility_timeout_s
    if settings.queue.kind == "sqs":
        if not settings.queue.url:
            raise UsageError(
                "`queue.url` is not set",
                why='with queue.kind = "sqs" it is the URL of the SQS queue',
                fix="set it in lakeveil.toml, and `queue.dead_letter_url` too",
            )
        # boto3 takes a third of a second to import.
        from lakeveil.adapters.queue_sqs import SqsQueue  # noqa: PLC0415

        return SqsQueue(
            settings.queue.url,
            dead_letter_url=settings.queue.dead_letter_url,
            region=settings.store.region,
            visibility_timeout_s=lease_s,
        )
    from lakeveil.adapters.queue_jetstream import JetStreamQueue  # noqa: PLC0415 - as above

    return JetStreamQueue(
        settings.nats_url, token=_nats_token(settings), visibility_timeout_s=lease_s
    )


def open_limiter(settings: Settings) -> Limiter:
    """The limits over all workers, kept in our state database.

    Raises:
        SetupError: the database cannot be opened.
    """
    return SqlLimiter(open_database(settings.database_url), SystemClock())


def _nats_token(settings: Settings) -> str | None:
    if settings.embedded_queue:
        return load_credentials(settings.home_path).nats_token
    if not settings.queue.token_file:
        return None
    path = Path(settings.queue.token_file)
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise SetupError(
            f"the queue's token file `{path}` cannot be read",
            why=error.strerror or "it is not there",
            fix="correct `queue.token_file`, or make the file readable for this user",
        ) from error
