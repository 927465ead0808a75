"""A running STS, and how tests call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import IssuedKey
from tests.doors.running import Door
from tests.identity_parts import (
    ACCOUNT,
    Identity,
    allow,
)
from tests.oidc_issuer import OidcIssuer

ANA = arns.user_arn(ACCOUNT, "ana")
BU_A = arns.role_arn(ACCOUNT, "bu-a")
ISSUER = arns.issuer_arn(ACCOUNT, "dev")
MAY_ASSUME = allow("sts:AssumeRole")


@dataclass(kw_only=True)
class Sts:
    """A running door, and the identities behind it."""

    door: Door
    identity: Identity
    issuer: OidcIssuer

    def client(self, key: IssuedKey | dict[str, Any]) -> Any:
        """A client with a key of ours, or with the credentials of an answer."""
        if isinstance(key, IssuedKey):
            return self.door.boto3(
                key.access_key_id, key.secret_access_key, service="sts",
                token=key.session_token or None,
            )  # fmt: skip
        return self.door.boto3(
            key["AccessKeyId"], key["SecretAccessKey"], service="sts", token=key["SessionToken"]
        )

    def stranger(self) -> Any:
        """A client without any key."""
        return boto3.client(
            "sts", endpoint_url=self.door.url, region_name="eu-central-1",
            config=Config(signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1}),
        )  # fmt: skip

    def token(self, **claims: Any) -> str:
        now = self.identity.clock.now()
        usual = {
            "iss": self.issuer.url, "aud": "lake", "sub": "ana-1", "iat": now, "exp": now + 300,
            "groups": ["analysts"],
        }  # fmt: skip
        return self.issuer.token({**usual, **claims})


def refusal(call: Any, **params: Any) -> tuple[str, str, int]:
    """Code, message and HTTP status of a refused call."""
    with pytest.raises(ClientError) as error:
        call(**params)
    response = error.value.response
    return (
        response["Error"]["Code"],
        response["Error"]["Message"],
        response["ResponseMetadata"]["HTTPStatusCode"],
    )


def code(call: Any, **params: Any) -> str:
    """Code of a refused call."""
    return refusal(call, **params)[0]
