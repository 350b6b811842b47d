"""Does a label hide in plain sight, and is there something to find? For evaluation only.

The only part of the project that reads the truth file (`true_cases`). Measured for
each call: how far single columns and words tell abuse (`separability`), what must
tell nothing (`artefacts`), whether look-alikes share their pattern's marginals
(`look_alikes`), what hemostat's learner catches when it is told everything
(`catch`), and what one rule does (`one_rule`).
"""

from training.simulation.realism.artefacts import ArtefactAuc, compute_artefact_aucs
from training.simulation.realism.auc import compute_auc, compute_auc_se
from training.simulation.realism.catch import Catch, compute_catch, split_cases
from training.simulation.realism.one_rule import OneRule, find_one_rule
from training.simulation.realism.separability import (
    Separability,
    compute_separability,
    compute_text_auc,
)
from training.simulation.realism.true_cases import TrueCases, read_true_cases

__all__ = [
    "ArtefactAuc",
    "Catch",
    "OneRule",
    "Separability",
    "TrueCases",
    "compute_artefact_aucs",
    "compute_auc",
    "compute_auc_se",
    "compute_catch",
    "compute_separability",
    "compute_text_auc",
    "find_one_rule",
    "read_true_cases",
    "split_cases",
]
