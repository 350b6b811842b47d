"""What a store was made with, and why another making is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import xxhash

from features.entities import Layout
from features.errors import SchemaMismatchError
from features.keys import N_SHARDS
from features.records.activity import ACTIVITY_DTYPE
from features.records.history import HISTORY_DTYPE
from features.records.identity import IDENTITY_DTYPE
from features.records.packing import SCHEMA_VERSION
from features.records.tally import TALLY_DTYPE

FORMAT_VERSION = 3
"""Version of the databases and keys inside the store (not of the records)."""


class StoreSchema(msgspec.Struct, frozen=True):
    """All that must be equal for stored bytes to mean the same.

    The feature definitions are not among it: features are computed at read time,
    so a new feature over the same record needs no new store.

    Attributes:
        format_version: Layout of keys and databases.
        record_version: `features.records.packing.SCHEMA_VERSION`.
        record_layout: Hash of the layouts' dtypes, so that a layout changed without
            a new version is refused, too.
        n_shards: Number of shards, fixed when a store is made.
    """

    format_version: int
    record_version: int
    record_layout: str
    n_shards: int


LAYOUT_DTYPES: dict[Layout, np.dtype[Any]] = {
    Layout.HISTORY: HISTORY_DTYPE,
    Layout.ACTIVITY: ACTIVITY_DTYPE,
    Layout.TALLY: TALLY_DTYPE,
    Layout.IDENTITY: IDENTITY_DTYPE,
}
"""The record in memory of each layout."""

CURRENT_SCHEMA = StoreSchema(
    format_version=FORMAT_VERSION,
    record_version=SCHEMA_VERSION,
    record_layout=xxhash.xxh3_64_hexdigest(
        repr([each.descr for each in LAYOUT_DTYPES.values()]).encode()
    ),
    n_shards=N_SHARDS,
)
"""What this version of hemostat makes and reads."""


def check_schema(stored: StoreSchema, expected: StoreSchema, path: str) -> None:
    """Refuse a store that was made with another schema.

    Raises:
        SchemaMismatchError: Names every field that differs and how to rebuild.
    """
    names = [
        name
        for name in StoreSchema.__struct_fields__
        if getattr(stored, name) != getattr(expected, name)
    ]
    if names:
        raise SchemaMismatchError(
            f"the store {path} was made with another schema",
            field=", ".join(names),
            value=", ".join(str(getattr(stored, name)) for name in names),
            expectation=", ".join(str(getattr(expected, name)) for name in names),
            fix="rebuild it from the event log: `hemostat store rebuild LOG --store PATH`",
        )
