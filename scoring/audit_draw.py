"""The lot that audits approved cases: keyed, so that nobody can foresee it, and pure.

Who is verified is no accident, so what is found there says little of the approved
rest. One approved case in a hundred (`verify.audit_share`) is therefore looked at
whatever it looks like, and counts a hundredfold in training and evaluation. The
customer notices nothing: hint, reasons, check and budget are those of any approval.

The lot is a keyed hash of the case's event, so a case that is asked about again is
drawn again or not again, and `scoring.replay` finds the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from features.request_rows import Call
from hemostat.v1 import scoring_pb2 as pb
from scoring.policy import BASIS_POINTS, Policy

AUDITED_CALLS = frozenset({Call.RETURN, Call.CANCELLATION})
"""Calls with something to look at. An order shows its abuse in its returns and cancel clicks
only: each of these has a lot of its own, and training combines their chances."""

_LOT_SIZE = 8
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Audit:
    """Whether a case is audited.

    Attributes:
        is_drawn: It is.
        propensity: The chance it had, [0, 1]; None: it took no part in the lot.
    """

    is_drawn: bool
    propensity: float | None


_NO_LOT = Audit(is_drawn=False, propensity=None)
_VERIFIED = Audit(is_drawn=False, propensity=0.0)


def draw_audit(
    key: bytes, tenant: str, event_id: str, call: Call, hint: pb.Hint, policy: Policy
) -> Audit:
    """Return whether a case is audited silently.

    A degraded answer takes part like any other: its approvals are approvals, and leaving
    them out would make the sample one of the good days. A case without event takes no
    part: what is found could not be told to training.

    Args:
        key: Secret of the decision log, at most 64 bytes.
        tenant: Whose case it is.
        event_id: Of the case's event; empty: the case is not published.
        call: Which question was asked.
        hint: What was answered; only `APPROVE` is audited.
        policy: With the share.
    """
    share_bp = policy.audit_share_bp
    if not share_bp or not event_id or call not in AUDITED_CALLS:
        return _NO_LOT
    if hint != pb.HINT_APPROVE:
        return _VERIFIED
    name = f"{tenant}{_SEPARATOR}{event_id}".encode()
    lot = int.from_bytes(hashlib.blake2b(name, key=key, digest_size=_LOT_SIZE).digest(), "big")
    is_drawn = lot * BASIS_POINTS < share_bp << (8 * _LOT_SIZE)
    return Audit(is_drawn, share_bp / BASIS_POINTS)
