"""The table of all features; its order is the order of the vector's columns.

The stream, the trainer, the twin, the docs table and the law tests are derived
from `FEATURES`. To add a feature of facts that exist, add a row to the table of its
family; a new fact also needs its number and its line in `features.facts`.
"""

from __future__ import annotations

import hashlib

from features.definition import FeatureDefinition
from features.definitions.activity import ACTIVITY_FEATURES
from features.definitions.entities import ENTITY_FEATURES
from features.definitions.history import HISTORY_FEATURES
from features.definitions.request import REQUEST_FEATURES
from features.embedding import EMBEDDERS
from features.records.packing import SCHEMA_VERSION

FEATURES: tuple[FeatureDefinition, ...] = (
    *HISTORY_FEATURES,
    *ACTIVITY_FEATURES,
    *ENTITY_FEATURES,
    *REQUEST_FEATURES,
)

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
N_FEATURES = len(FEATURES)


def compute_schema_hash() -> str:
    """Return the hash that a store, a bundle and a server must share.

    It covers all that changes a value: columns, their computation and order, the
    records' schema and the embedders; not owners and descriptions.
    """
    rows = [
        (f.name, f.entity, f.aggregation, f.operands, f.window, [int(c) for c in f.calls])
        for f in FEATURES
    ]
    embedders = [(embedder.id, embedder.name, embedder.since_us) for embedder in EMBEDDERS]
    text = repr((SCHEMA_VERSION, embedders, rows))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


SCHEMA_HASH = compute_schema_hash()
