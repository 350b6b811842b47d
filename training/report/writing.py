"""Makes the report's page: of heads just learned, for their bundle, or of a bundle judged later."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from features.model_bundle import Manifest
from training.bundle_evaluation import BundleEvaluation
from training.evaluation.money import CostMatrix
from training.evaluation.resampling import Resampling
from training.head_evaluation import evaluate_part
from training.learning import LearnedHead
from training.model_card import SkippedHead, is_simulated
from training.report.page import ReportContent, build_page

REPORT_FILE: Final = "report/index.html"
"""Where the page stands in a bundle."""


def write_report(
    manifest: Manifest, skipped: Sequence[SkippedHead], learned: Sequence[LearnedHead],
    costs: CostMatrix, seed: int,
) -> bytes:  # fmt: skip
    """Return the page of heads just learned, judged on their test parts.

    Args:
        manifest: Of the bundle that the page becomes a part of; its heads in the order of
            `learned`.
        skipped: Heads that could not be learned.
        learned: The heads.
        costs: For the money.
        seed: Of the draws behind the bounds.
    """
    resampling = Resampling(seed=seed)
    heads = [
        evaluate_part(
            head, one.trees, one.parts.test, one.test_score, manifest.schema, costs, resampling
        )
        for head, one in zip(manifest.heads, learned, strict=True)
    ]
    content = ReportContent(
        manifest=manifest,
        version="",
        tenant=manifest.tenant,
        is_simulated=is_simulated(manifest.log_created_by),
        heads=heads,
        skipped=skipped,
        costs=costs,
        resampling=resampling,
    )
    return build_page(content).encode()


def make_content(found: BundleEvaluation) -> ReportContent:
    """Return what the page of a bundle judged on a log tells."""
    return ReportContent(
        manifest=found.bundle.manifest,
        version=found.bundle.manifest.version,
        tenant=found.tenant,
        is_simulated=is_simulated(found.log_created_by),
        heads=found.heads,
        skipped=found.skipped,
        costs=found.costs,
        resampling=found.resampling,
    )


def write_evaluation_page(found: BundleEvaluation, page: Path) -> None:
    """Write the page of a bundle judged on a log; equal logs and options give equal pages."""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(build_page(make_content(found)), encoding="utf-8")
