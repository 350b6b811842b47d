"""What `hemostat train` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from features.model_bundle.signing import SigningKey
from training.evaluation.money import CostMatrix
from training.growing import HeadParameters
from training.labelling.noise import InspectionError


@dataclass(frozen=True)
class TrainingOptions:
    """What to train on and where to put the bundle.

    Attributes:
        log: The tenant's event log.
        out: Folder of bundles.
        tenant: Whose events; None: the log's only tenant.
        abuse_from: A simulated log for abuse heads that the tenant's own cannot teach.
        lines: Side table of an import; None: the one in the log's folder, if it is there.
        attributes: Declaration of the retailer's own fields; None: the one in the log's folder,
            if it is there.
        cut_us: When the model is born; None: after 70 % of the log.
        seed: Seed of everything random.
        parameters: How heads are fitted.
        costs: What outcomes cost, for the report's money.
        wants_promotion: Ask the gates whether it may serve; else it waits as challenger,
            unless nobody serves.
        by: Who trains, for the registry's journal.
        allowed_columns: Columns that a person vouches for where the leak gate would refuse.
        key: Signs the bundle; None: it is not signed.
        checks: How well the shop's checks see; None: as cases looked at twice tell.
    """

    log: Path
    out: Path
    tenant: str | None = None
    abuse_from: Path | None = None
    lines: Path | None = None
    attributes: Path | None = None
    cut_us: int | None = None
    seed: int = 7
    parameters: HeadParameters = field(default_factory=HeadParameters)
    costs: CostMatrix = field(default_factory=CostMatrix)
    wants_promotion: bool = False
    by: str = ""
    allowed_columns: tuple[str, ...] = ()
    key: SigningKey | None = None
    checks: InspectionError | None = None
