"""What must tell nothing: ids, the order in the file, the sub-second part of times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from training.simulation.realism.auc import compute_auc, compute_auc_se
from training.simulation.realism.true_cases import Floats, TrueCases, number_customers

ARTEFACT_TOLERANCE: Final = 0.02
"""How far from 0.50 the AUC of an artefact may lie, noise included."""


@dataclass(frozen=True, slots=True)
class ArtefactAuc:
    """How well what must tell nothing ranks abuse above honesty.

    Attributes:
        call: `order`, `cancellation` or `return`.
        name: What it is.
        auc: ROC-AUC in the plain direction, so that noise lies around 0.50.
        se: Its standard error, customers resampled.
        n_cases: Cases compared, of all worlds.
        n_abusers: Customers behind the abuse: the independent witnesses.
    """

    call: str
    name: str
    auc: float
    se: float
    n_cases: int
    n_abusers: int


def compute_artefact_aucs(worlds: Sequence[TrueCases]) -> list[ArtefactAuc]:
    """Return the AUC of each artefact, the cases of all worlds taken together.

    A world of 3,000 customers has some 200 abusers, and the AUC of pure noise a
    standard error of 0.02: only several worlds together can show a 0.50.

    Args:
        worlds: Cases of one call, one world each.
    """
    label = np.concatenate([cases.is_abuse for cases in worlds])
    group = number_customers(
        [f"{place}-{name}" for place, cases in enumerate(worlds) for name in cases.customers]
    )
    n_abusers = len(np.unique(group[label]))
    columns = [_list_artefacts(cases) for cases in worlds]
    found = []
    for name in columns[0]:
        # By rank within each world, else worlds of different abuse shares would mix.
        score = np.concatenate([_rank(column[name]) for column in columns])
        auc, se = compute_auc(label, score), compute_auc_se(label, score, group)
        found.append(ArtefactAuc(worlds[0].call, name, auc, se, len(label), n_abusers))
    return found


def _list_artefacts(cases: TrueCases) -> dict[str, Floats]:
    columns = {
        "event id": _read_hex(cases.event_ids),
        "customer id": _read_hex([name.lstrip("c") for name in cases.customer_ids]),
        "file order within the day": cases.order_in_day,
        "sub-second of event time": cases.time_us % 1_000_000,
        "sub-second of ingest time": cases.ingest_us % 1_000_000,
    }
    return {name: np.asarray(column, np.float64) for name, column in columns.items()}


def _read_hex(names: list[str]) -> Floats:
    return np.array([float(int(name[:12], 16)) for name in names])


def _rank(column: Floats) -> Floats:
    """Return each value's place among all, from 0 to 1; equal values share one."""
    ranked = np.sort(column)
    place: Floats = (
        np.searchsorted(ranked, column, "left") + np.searchsorted(ranked, column, "right")
    ) / (2.0 * max(len(column), 1))
    return place
