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
    help="Write it where AWS clients look: ~/.aws/models, or a directory of AWS_DATA_PATH; with "
    "its paginators.",
)  # fmt: skip
@json_option
@click.pass_obj
def model(session: Session, into: Path | None) -> None:
    """Print the service model, in botocore's format."""
    from lakeveil.aws.protocol import OWN_SERVICE, load_model, own_files, own_model

    if into is None:
        print(own_model(), end="")
        return
    # Clients look for it by service and version.
    folder = into / OWN_SERVICE / load_model(OWN_SERVICE).api_version
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in own_files().items():
        (folder / name).write_text(text, "utf-8")
    session.emit(
        {
            "model": str(folder / "service-2.json"),
            "paginators": str(folder / "paginators-1.json"),
        }
    )


@command.command()
@json_option
@click.pass_obj
def paginators(session: Session) -> None:
    """Print which operations answer in pages, in botocore's format.

    `aws configure add-model` takes no such file: it goes beside the model, as
    ~/.aws/models/lakeveil/VERSION/paginators-1.json.
    """
    from lakeveil.aws.protocol import own_files

    del session
    print(own_files()["paginators-1.json"], end="")
