"""A score request as a join key: how Feast is told about the case that is asked about."""

from __future__ import annotations

import base64
import binascii

from google.protobuf.message import DecodeError

from features.errors import InvalidRequestError
from hemostat.feast_store.views import REQUEST_KEY
from hemostat.v1 import scoring_pb2 as pb


def encode_request(request: pb.ScoreRequest) -> str:
    """Return a request as the value of the join key `request`."""
    return base64.b64encode(request.SerializeToString()).decode()


def decode_request(text: str) -> pb.ScoreRequest:
    """Return the request that `encode_request` was given.

    Raises:
        InvalidRequestError: The text is no such value.
    """
    try:
        return pb.ScoreRequest.FromString(base64.b64decode(text, validate=True))
    except (binascii.Error, DecodeError, ValueError):
        raise InvalidRequestError(
            "the join key `request` holds no score request",
            field=REQUEST_KEY,
            value=f"a text of {len(text)} characters",
            expectation="base64 of a serialized hemostat.v1.ScoreRequest",
            fix="make it with hemostat.feast_store.request_key.encode_request(request)",
        ) from None
