"""`lakeveil api`: what AWS clients need to call Lakeveil's own API."""

from __future__ import annotations

from pathlib import Path

import click

from lakeveil.cli.session import Session, json_option


@click.group()
def command() -> None:
    """Lakeveil's own API, for boto3 and the AWS CLI.

    \b
    Examples:
      lakeveil api model > lakeveil.json
      aws configure add-model --service-model file://lakeveil.json
      lakeveil api model --into ~/.aws/models
    """


@command.command()
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), metavar="DIRECTORY",
    help="Write it where AWS clients look: ~/.aws/models, or a directory of AWS_DATA_PATH.",
)  # fmt: skip
@json_option
@click.pass_obj
def model(session: Session, into: Path | None) -> None:
    """Print the service model, in botocore's format."""
    from lakeveil.aws.protocol import OWN_SERVICE, load_model, own_model

    if into is None:
        print(own_model(), end="")
        return
    # Clients look for it by service and version.
    path = into / OWN_SERVICE / load_model(OWN_SERVICE).api_version / "service-2.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(own_model(), "utf-8")
    session.emit({"model": str(path)})
