"""Every error Lakeveil raises on purpose, and what the doors make of it.

    LakeveilError
    ├── UsageError          the request is wrong; asking again unchanged cannot work
    ├── SetupError          this installation is incomplete or misconfigured
    ├── NotFound            it does not exist, or the caller may not know that it does
    ├── Refused             the caller is known and may not do this
    ├── Conflict            somebody else changed it first
    ├── Unavailable         a component did not answer; trying again may work
    └── CannotLook          a photo could not be examined, so it may not be released
        ├── BadPhoto        the file itself is at fault: trying again cannot work
        └── DetectorFailed  the detector is at fault: no face was looked for

"Found no face" is a result (`Detections` with no faces); "could not look" is an exception.
No code may turn the second into the first.
"""

from __future__ import annotations


class LakeveilError(Exception):
    """What happened, why, and what to do; none of the three ever holds a secret.

    `code` is stable and machine-readable (snake_case); `exit_code` is what the command line
    exits with; `http_status` is what our own HTTP doors answer.
    """

    exit_code = 1
    http_status = 500

    def __init__(self, what: str, *, why: str = "", fix: str = "", code: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix
        self.code = code or _snake_case(type(self).__name__)

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross from the isolated pixel process to the worker.
        return (_rebuild, (type(self), self.what, self.why, self.fix, self.code))

    def as_dict(self) -> dict[str, str]:
        """The error as every `--json` command and HTTP door shows it."""
        return {"code": self.code, "what": self.what, "why": self.why, "fix": self.fix}


class UsageError(LakeveilError):
    """The request is wrong; asking again unchanged cannot work."""

    exit_code = 2
    http_status = 400


class SetupError(LakeveilError):
    """This installation is incomplete or misconfigured."""


class NotFound(LakeveilError):
    """It does not exist, or the caller may not know that it does."""

    http_status = 404


class Refused(LakeveilError):
    """The caller is known and may not do this."""

    exit_code = 5
    http_status = 403


class Conflict(LakeveilError):
    """Somebody else changed it first."""

    http_status = 409


class Unavailable(LakeveilError):
    """A component did not answer; trying again may work."""

    http_status = 503


class CannotLook(LakeveilError):
    """A photo could not be examined, so it may not be released."""

    http_status = 422


class BadPhoto(CannotLook):
    """The file itself is at fault: trying again cannot work."""


class DetectorFailed(CannotLook):
    """The detector is at fault: no face was looked for."""


def _snake_case(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


def _rebuild(kind: type[LakeveilError], what: str, why: str, fix: str, code: str) -> LakeveilError:
    return kind(what, why=why, fix=fix, code=code)
