"""Reviews follow what was found, and tell nobody's intention."""

from __future__ import annotations

from statistics import fmean
from typing import Any

Run = Any


def _stars_by(run: Run, names: set[str]) -> list[int]:
    """Return the stars that people gave to SKUs which they returned for these causes."""
    truths = {row.case_event_id: row for row in run.truths}
    wanted = {
        (event.customer_id, event.return_requested.sku)
        for event in run.of_kind("return_requested")
        if truths[event.event_id].driver in names
    }
    return [
        event.review_posted.rating
        for event in run.of_kind("review_posted")
        if (event.customer_id, event.review_posted.sku) in wanted
    ]


def test_most_reviews_have_five_stars_and_a_late_or_faulty_parcel_costs_some(
    default_run: Run,
) -> None:
    stars = [event.review_posted.rating for event in default_run.of_kind("review_posted")]
    assert set(stars) <= {1, 2, 3, 4, 5}
    assert 0.45 < stars.count(5) / len(stars) < 0.75
    faulty = _stars_by(default_run, {"defect", "damaged", "mixup", "listing"})
    assert len(faulty) > 20
    assert fmean(faulty) < fmean(stars) - 1.0


def test_an_article_is_reviewed_after_it_came_and_never_if_it_did_not(default_run: Run) -> None:
    bought: dict[tuple[str, str], int] = {}
    for event in default_run.of_kind("order_placed"):
        for line in event.order_placed.lines:
            key = (event.customer_id, line.sku)
            bought[key] = min(bought.get(key, event.event_time), event.event_time)
    reviews = default_run.of_kind("review_posted")
    assert all(
        event.event_time > bought[event.customer_id, event.review_posted.sku] for event in reviews
    )
    n_lines = sum(len(e.order_placed.lines) for e in default_run.of_kind("order_placed"))
    assert 0.02 < len(reviews) / n_lines < 0.12


def test_stars_do_not_tell_abuse(default_run: Run) -> None:
    truths = {row.case_event_id: row for row in default_run.truths}
    abusive = {(e.customer_id, e.return_requested.sku) for e in
               default_run.of_kind("return_requested") if truths[e.event_id].is_abuse}  # fmt: skip
    stars: dict[bool, list[int]] = {True: [], False: []}
    for event in default_run.of_kind("review_posted"):
        key = (event.customer_id, event.review_posted.sku)
        stars[key in abusive].append(event.review_posted.rating)
    assert len(stars[True]) > 10
    assert abs(fmean(stars[True]) - fmean(stars[False])) < 0.8
