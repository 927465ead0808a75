"""What a Lambda function may say of a message that Lambda took from SQS for it.

Lambda receives the messages and deletes those that the function did not report as failed. The
function itself can have a failed one come back sooner than its lease ends, and can write a dead
letter with a reason, as `SqsQueue` does; a redrive policy knows none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lakeveil.errors import SetupError, Unavailable

_MAX_VISIBILITY_S = 12 * 3600
_MAX_REASON = 2000


class FunctionQueue:
    """The queue that Lambda polls for us, and its dead letters. Either URL may be missing."""

    def __init__(
        self, url: str, *, dead_letter_url: str, region: str, timeout_s: float = 3.0
    ) -> None:
        self._url = url
        self._dead_url = dead_letter_url
        host = urlsplit(url or dead_letter_url)
        self._client = boto3.client(
            "sqs",
            region_name=region,
            endpoint_url=f"{host.scheme}://{host.netloc}" if host.netloc else None,
            config=Config(
                connect_timeout=timeout_s,
                read_timeout=timeout_s,
                retries={"mode": "standard", "total_max_attempts": 2},
            ),
        )

    def delay(self, receipt_handle: str, *, delay_s: float) -> None:
        """Have a failed message come back after `delay_s` seconds instead of when its lease ends.

        Raises:
            Unavailable: it comes back when its lease ends.
        """
        if not (self._url and receipt_handle):
            return
        with self._mapped("delay a message"):
            self._client.change_message_visibility(
                QueueUrl=self._url,
                ReceiptHandle=receipt_handle,
                VisibilityTimeout=min(max(0, round(delay_s)), _MAX_VISIBILITY_S),
            )

    def bury(self, body: str, *, origin: str, reason: str, receive_count: int) -> None:
        """Write a dead letter. The message itself is deleted by whoever does not report it.

        `origin` names the message: copies of a letter with the same one are shown as one.

        Raises:
            SetupError: there is no queue for dead letters.
            Unavailable: nothing was written.
        """
        if not self._dead_url:
            raise SetupError(
                "there is no queue for dead letters",
                why="`queue.dead_letter_url` is not set",
                fix="make an SQS queue for them and set its URL",
            )
        attributes = {
            "LakeveilReason": _storable(reason) or "unknown",
            "LakeveilReceiveCount": str(receive_count),
            "LakeveilDiedAt": f"{time.time():.3f}",
            "LakeveilOrigin": origin,
        }
        with self._mapped("write a dead letter"):
            self._client.send_message(
                QueueUrl=self._dead_url,
                MessageBody=body,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                },
            )

    @contextmanager
    def _mapped(self, what: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError, OSError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            raise Unavailable(
                f"the queue did not {what}",
                why=f"SQS answered {code}" if code else type(error).__name__,
                fix="the message comes back by itself",
                code="queue_unavailable",
            ) from error


def _storable(text: str) -> str:
    # SQS refuses control characters, which a key in a reason may hold.
    return "".join(c if c.isprintable() else " " for c in text)[:_MAX_REASON]
