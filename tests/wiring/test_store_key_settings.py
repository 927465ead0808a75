"""Who lets issued keys into the store: what the settings may say together, and what not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakeveil.cli.main import invoke
from lakeveil.errors import UsageError
from lakeveil.settings import Settings, load_settings
from lakeveil.wiring.store_keys import try_store_keys

ROLE = 'role_arn = "arn:aws:iam::123456789012:role/lakeveil-sessions"\n'
AWS = f'keys = "aws"\n{ROLE}'


def configured(tmp_path: Path, store: str) -> Settings:
    file = tmp_path / "lakeveil.toml"
    file.write_text(f'home = "{tmp_path / "home"}"\n[store]\n{store}\n')
    return load_settings(file)[0]


@pytest.mark.parametrize(
    ("store", "kind"),
    [
        ("", "seaweedfs"),
        ('keys = "seaweedfs"', "seaweedfs"),
        ('endpoint = "aws"', "none"),
        ('endpoint = "https://s3.example.org"', "none"),
        ('endpoint = "aws"\nkeys = "none"', "none"),
        (f'endpoint = "aws"\n{AWS}', "aws"),
        (f'endpoint = "aws"\n{AWS}session_longest_s = 900', "aws"),
        (f'endpoint = "https://vpce-1.s3.eu-central-1.vpce.amazonaws.com"\n{AWS}', "aws"),
        (
            f'endpoint = "https://s3.example.org"\n{AWS}sts_endpoint = "https://sts.example.org"',
            "aws",
        ),
        (f'endpoint = "http://127.0.0.1:5000"\n{AWS}sts_endpoint = "http://127.0.0.1:5000"', "aws"),
    ],
)
def test_what_fits_together_is_taken(tmp_path: Path, store: str, kind: str) -> None:
    assert configured(tmp_path, store).store_keys() == kind


@pytest.mark.parametrize(
    ("store", "says"),
    [
        # Keys of one store at another.
        ('endpoint = "aws"\nkeys = "seaweedfs"', "`store.keys` is `seaweedfs`"),
        (AWS, "`store.keys` is `aws`"),
        ('keys = "none"', "`store.keys` is `none`"),
        ('endpoint = "aws"\nkeys = "minio"', "`store.keys`"),
        # A role that nobody would use.
        (ROLE, "`store.role_arn` is set"),
        (f'endpoint = "aws"\n{ROLE}', "`store.role_arn` is set"),
        ('endpoint = "aws"\nsts_endpoint = "https://sts.example.org"', "`store.sts_endpoint`"),
        ('endpoint = "aws"\nsession_longest_s = 900', "`store.session_longest_s` is set"),
        # No role, or none that a session could be made of.
        ('endpoint = "aws"\nkeys = "aws"', "`store.role_arn` is ``"),
        ('endpoint = "aws"\nkeys = "aws"\nrole_arn = "lakeveil"', "`store.role_arn`"),
        (
            'endpoint = "aws"\nkeys = "aws"\nrole_arn = "arn:aws:iam::123456789012:user/ana"',
            "`store.role_arn`",
        ),
        (
            'endpoint = "aws"\nkeys = "aws"\nrole_arn = "arn:aws-cn:iam::123456789012:role/r"',
            "`store.role_arn`",
        ),
        (f'endpoint = "aws"\n{AWS}session_longest_s = 899', "`store.session_longest_s`"),
        (f'endpoint = "aws"\n{AWS}session_longest_s = 3601', "`store.session_longest_s`"),
        # Secrets in the clear, and sessions of AWS for a store of somebody else.
        (f'endpoint = "aws"\n{AWS}sts_endpoint = "http://sts.example.org"', "`store.sts_endpoint`"),
        (f'endpoint = "aws"\n{AWS}sts_endpoint = "http://localhost.example.org"', "sts_endpoint"),
        (f'endpoint = "aws"\n{AWS}sts_endpoint = "http://localhost:x@example.org"', "endpoint"),
        (f'endpoint = "https://s3.example.org"\n{AWS}', "do not open `https://s3.example.org`"),
        (f'endpoint = "https://s3.amazonaws.com.example.org"\n{AWS}', "do not open"),
        (f'endpoint = "https://s3.amazonaws.com:x@example.org"\n{AWS}', "do not open"),
        (f'endpoint = "https://a@b/.amazonaws.com"\n{AWS}', "do not open"),
        (f'endpoint = "https://x.org/?.amazonaws.com"\n{AWS}', "do not open"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_the_start(
    tmp_path: Path, store: str, says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        configured(tmp_path, store)
    assert says in caught.value.what
    assert caught.value.fix


def test_no_command_runs_with_settings_that_do_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lakeveil.toml"
    file.write_text(f"[store]\n{ROLE}")
    assert invoke(["--config", str(file), "config", "show"]) == 2
    assert "`store.role_arn` is set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("store", "says"),
    [("", "the embedded store"), ('endpoint = "https://s3.example.org"', "our own doors alone")],
)
def test_the_doctor_says_what_issued_keys_open(tmp_path: Path, store: str, says: str) -> None:
    assert says in try_store_keys(configured(tmp_path, store))
