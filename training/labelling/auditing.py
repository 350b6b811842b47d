"""Reads a log and audits its labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from features.errors import ConfigError
from features.log.arrow_access import read_ints
from features.log.reader import EventLog
from training.facts import from_events
from training.labelling.audit_report import LabelAudit, compute_label_audit
from training.labelling.noise import InspectionError
from training.log_reading import choose_tenant, read_accepted_events

Progress = Callable[[str, int, int], None]
"""Called with the step, units done and in all (0: unknown)."""


@dataclass(frozen=True, slots=True)
class LogAudit:
    """The labels of one tenant's log.

    Attributes:
        tenant: Whose events.
        n_events: Rows read of the log.
        end_us: Ingest time of the last event: as of then the labels are audited.
        audit: What they are worth.
    """

    tenant: str
    n_events: int
    end_us: int
    audit: LabelAudit


def audit_log(
    path: Path, assumed: InspectionError, progress: Progress, *, tenant: str | None = None
) -> LogAudit:
    """Return the audit of a log's labels, as known at its end.

    Args:
        path: The log.
        assumed: How well checks see, for the corrected shares.
        progress: Told how far it is.
        tenant: Whose events; None: the only tenant's.

    Raises:
        HemostatError: The log cannot be read, has no such tenant, or no label.
    """
    log = EventLog(path)
    n_done = 0

    def tell(n: int) -> None:
        nonlocal n_done
        n_done += n
        progress(f"read {path.name}", n_done, log.manifest.n_events or 0)

    events = read_accepted_events(log, choose_tenant(log.manifest.tenants, tenant), tell)
    facts = from_events(events.batch)
    if len(facts["label_set"]) == 0:
        raise ConfigError(
            "the log has no labels",
            field=str(path),
            value="no `label_set` event",
            expectation="verdicts on orders, cancel clicks or returns",
            fix="publish `label_set` events, or look at a simulated log (`hemostat simulate`)",
        )
    end_us = int(read_ints(events.batch.column("ingest_time")).max())
    audit = compute_label_audit(facts, end_us, assumed)
    return LogAudit(events.tenant, events.n_read, end_us, audit)
