"""Which feature views there are: one per entity, and one of whole cases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from features.definition import FeatureDefinition
from features.definitions import FEATURES
from features.entities import Entity

CASE_VIEW = "case_vectors"
REQUEST_KEY = "request"
CASE_KEYS = ("tenant", "case_event_id", REQUEST_KEY)
"""Join keys of the view of whole cases.

`request` holds the base64 text of a `hemostat.v1.ScoreRequest` online, and nothing
in history, where the case is found by its event.
"""

ENTITY_KEYS: dict[str, tuple[tuple[Entity, ...], tuple[str, ...]]] = {
    "customer": ((Entity.CUSTOMER, Entity.ACTIVITY), ("customer_id",)),
    "sku": ((Entity.SKU,), ("sku",)),
    "style": ((Entity.STYLE,), ("style",)),
    "supplier": ((Entity.SUPPLIER,), ("supplier",)),
    "batch": ((Entity.BATCH,), ("supplier", "batch")),
    "region": ((Entity.REGION,), ("region",)),
    "store": ((Entity.STORE,), ("store_id",)),
    "device": ((Entity.DEVICE,), ("device_hash",)),
    "address": ((Entity.ADDRESS,), ("address_hash",)),
    "payment_token": ((Entity.PAYMENT_TOKEN,), ("payment_token_hash",)),
}
"""Subject of a view: its entities and its columns of ids in the feature log; `tenant` beside."""


@dataclass(frozen=True, slots=True)
class View:
    """One feature view.

    Attributes:
        name: Its name in Feast.
        subject: Key of `ENTITY_KEYS`; empty for whole cases.
        join_keys: In order.
        features: Its features, in the order of the vector's columns.
    """

    name: str
    subject: str
    join_keys: tuple[str, ...]
    features: tuple[FeatureDefinition, ...]


def needs_request(feature: FeatureDefinition) -> bool:
    """Return whether a feature compares history with the case, and so has no value without one."""
    return feature.name.startswith("request_") or feature.name.endswith(
        ("price_change_ratio", "competitor_price_ratio")
    )


@lru_cache(maxsize=1)
def list_views() -> tuple[View, ...]:
    """Return all views: whole cases first, then one per subject."""
    views = [View(CASE_VIEW, "", CASE_KEYS, FEATURES)]
    for subject, (entities, keys) in ENTITY_KEYS.items():
        names = {entity.name.lower() for entity in entities}
        features = tuple(f for f in FEATURES if f.entity in names and not needs_request(f))
        views.append(View(f"{subject}_features", subject, ("tenant", *keys), features))
    return tuple(views)


def find_view(name: str) -> View | None:
    """Return the view of that name, or None."""
    return next((view for view in list_views() if view.name == name), None)
