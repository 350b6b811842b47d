"""The one place where errors become gRPC statuses."""

from __future__ import annotations

import grpc

from features.errors import (
    ConfigError,
    DeadlineError,
    HemostatError,
    InvalidRequestError,
    OverloadedError,
    RequestConflictError,
    StoreUnavailableError,
    UnknownDecisionError,
)
from hemostat.v1 import scoring_pb2 as pb

ERROR_METADATA_KEY = "hemostat-error-bin"
"""Trailing metadata that holds the `ScoreError` of a failed call."""

_CODES: tuple[tuple[type[HemostatError], grpc.StatusCode], ...] = (
    (InvalidRequestError, grpc.StatusCode.INVALID_ARGUMENT),
    (RequestConflictError, grpc.StatusCode.ALREADY_EXISTS),
    (UnknownDecisionError, grpc.StatusCode.NOT_FOUND),
    (OverloadedError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (DeadlineError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (StoreUnavailableError, grpc.StatusCode.UNAVAILABLE),
    # Only publishing finds out during a call that the server was not set up for it.
    (ConfigError, grpc.StatusCode.FAILED_PRECONDITION),
)


def present_error(error: HemostatError) -> tuple[grpc.StatusCode, pb.ScoreError]:
    """Return what a caller is told of an error.

    An error that no call should meet is `INTERNAL`.
    """
    code = next((code for kind, code in _CODES if isinstance(error, kind)), None)
    return code or grpc.StatusCode.INTERNAL, to_score_error(error)


def to_score_error(error: HemostatError) -> pb.ScoreError:
    """Return the error as one case of a batch shows it."""
    return pb.ScoreError(field=error.field, message=str(error))
