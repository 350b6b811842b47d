"""What a store was made with, and why another making is refused."""

from __future__ import annotations

import msgspec
import xxhash

from features.embedding import EMBEDDER
from features.errors import SchemaMismatchError
from features.keys import N_SHARDS
from features.record import RECORD_DTYPE, SCHEMA_VERSION

FORMAT_VERSION = 1
"""Version of the databases and keys inside the store (not of the records)."""


class StoreSchema(msgspec.Struct, frozen=True):
    """All that must be equal for stored bytes to mean the same.

    The feature definitions are not among it: features are computed at read time,
    so a new feature over the same record needs no new store.

    Attributes:
        format_version: Layout of keys and databases.
        record_version: `features.record.SCHEMA_VERSION`.
        record_layout: Hash of the record's dtype, so that a layout changed without
            a new version is refused, too.
        embedder: Embedder of the reason vectors in the records.
        n_shards: Number of shards, fixed when a store is made.
    """

    format_version: int
    record_version: int
    record_layout: str
    embedder: str
    n_shards: int


CURRENT_SCHEMA = StoreSchema(
    format_version=FORMAT_VERSION,
    record_version=SCHEMA_VERSION,
    record_layout=xxhash.xxh3_64_hexdigest(repr(RECORD_DTYPE.descr).encode()),
    embedder=EMBEDDER,
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
            fix="rebuild it from the event log: `hemostat stream LOG --store NEW`",
        )
