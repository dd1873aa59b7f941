"""Errors named for what the loop does about them.

`DecodeError` makes a dead letter and the loop goes on; `RecoverableError` makes it pause and try
again; everything else stops the worker.
"""


class QuerywatchError(Exception):
    """Root of every error that querywatch raises on purpose."""


class DecodeError(QuerywatchError):
    """A log record that is not a valid prediction event.

    Args:
        reason: A stable, countable identifier such as `missing_field`.
        path: Where in the record, as a JSON path such as `$.output.scores[3]`.
        detail: A sentence for the person who reads the dead letter.
    """

    def __init__(self, reason: str, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail} [{reason}]")
        self.reason = reason
        self.path = path
        self.detail = detail


class RecoverableError(QuerywatchError):
    """Something outside is unwell (a database, a broker); the same work may succeed later."""


class DamagedLogError(QuerywatchError):
    """A log cannot be read further; the message names the place and says why."""


class StaleEpochError(QuerywatchError):
    """This worker lost a partition to another one and must not write for it."""


class ConfigurationError(QuerywatchError):
    """A setting or an argument is unusable; the message names it and says why."""


class NotFoundError(QuerywatchError):
    """The thing asked for does not exist."""


class ConflictError(QuerywatchError):
    """The change does not fit the present state; the message names what would."""
