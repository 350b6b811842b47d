"""All errors that a user of hemostat can meet, in one small tree.

Every error says which field, which value, what was expected and how to mend it.
The command line maps them to one message and exit code 2, the server to a gRPC
status; programmer errors are not in this tree and crash.
"""

from __future__ import annotations


class HemostatError(Exception):
    """A fault that the user can mend.

    Args:
        message: What is wrong, one sentence without a full stop.
        field: The field, option or file at fault, e.g. `return_requested.quantity`.
        value: The value met, shortened; never raw text and never an identifier.
        expectation: What would have been right.
        fix: What to do now.
    """

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        value: str = "",
        expectation: str = "",
        fix: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.value = value
        self.expectation = expectation
        self.fix = fix

    def __str__(self) -> str:
        """Return the one-line form: message, field, value, expectation, fix."""
        parts = [self.message]
        if self.field:
            parts.append(f"field: {self.field}")
        if self.value:
            parts.append(f"value: {self.value}")
        if self.expectation:
            parts.append(f"expected: {self.expectation}")
        if self.fix:
            parts.append(f"fix: {self.fix}")
        return "; ".join(parts)


class InvalidEventError(HemostatError):
    """An event that cannot be accepted; it goes to the dead letters."""


class InvalidRequestError(HemostatError):
    """A score request that cannot be answered."""


class LogFormatError(HemostatError):
    """A file that is not the event log or the source that it should be."""


class ConfigError(HemostatError):
    """A setting, policy or command-line option that is wrong."""


class MissingModelError(HemostatError):
    """No usable model bundle at the place named."""


class UntrustedModelError(MissingModelError):
    """A model bundle that no trusted key signed as it stands."""


class SchemaMismatchError(HemostatError):
    """A store, log or bundle made with another feature schema."""


class StoreLockedError(HemostatError):
    """Another process writes to this store."""


class StoreUnavailableError(HemostatError):
    """The store cannot be opened or read."""


class StoreFullError(StoreUnavailableError):
    """The store has reached the size that it was given; waiting makes no room."""


class SourceUnavailableError(HemostatError):
    """The server that events are read from cannot be reached."""


class CommitConflictError(HemostatError):
    """The shard's version moved: somebody else committed first."""


class StoreReplacedError(CommitConflictError):
    """Another generation of the store has taken over; open the store again."""


class UnknownCustomerError(HemostatError):
    """Nothing is known of the customer asked for."""


class PortInUseError(HemostatError):
    """The address to listen on is taken."""


class RequestConflictError(HemostatError):
    """The same request or outcome id came before with other content."""


class UnknownDecisionError(HemostatError):
    """No decision of this tenant has this id."""


class OverloadedError(HemostatError):
    """More calls wait than can be answered in time; this one was not begun."""


class DeadlineError(HemostatError):
    """The call's time ran out before it was answered."""
