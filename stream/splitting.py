"""Parts of a batch for the groups of shards, when several workers share them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stream.batches import EntityRows, NewRows, RowBatch, take_rows
from stream.shard_groups import ShardGroups, find_record_shards, find_seen_shards


def split_events(batch: RowBatch, groups: ShardGroups) -> list[RowBatch]:
    """Return a batch's events by the group that remembers them, empty parts included."""
    if groups.count == 1:
        return [batch]
    chosen = groups.find_groups(find_seen_shards(batch.events.event_keys))
    row_groups = chosen[batch.entities.event_index]
    parts = []
    for group in range(groups.count):
        places = np.flatnonzero(chosen == group)
        moved = np.zeros(len(chosen), np.int64)
        moved[places] = np.arange(len(places))
        row_places = np.flatnonzero(row_groups == group)
        entities = batch.entities
        rows, embeddings = _take_embeddings(
            take_rows(entities.rows, row_places), entities.embeddings
        )
        part = EntityRows(
            rows=rows,
            keys=take_rows(entities.keys, row_places),
            event_index=moved[entities.event_index[row_places]],
            embeddings=embeddings,
        )
        parts.append(RowBatch(batch.id, batch.ranges, batch.events.take(places), part))
    return parts


def split_rows(new_rows: NewRows, groups: ShardGroups) -> list[NewRows]:
    """Return new rows by the group that owns their records, empty parts included."""
    if groups.count == 1:
        return [new_rows]
    chosen = groups.find_groups(find_record_shards(new_rows.keys))
    parts = []
    for group in range(groups.count):
        part = new_rows.take(np.flatnonzero(chosen == group))
        rows, embeddings = _take_embeddings(take_rows(part.rows, part.places), part.embeddings)
        parts.append(
            NewRows(
                id=part.id,
                n_parts=part.n_parts,
                ranges=part.ranges,
                range_index=part.range_index,
                offsets=part.offsets,
                ingest_us=part.ingest_us,
                is_first=part.is_first,
                places=np.arange(len(part)),
                keys=part.keys,
                rows=rows,
                embeddings=embeddings,
            )
        )
    return parts


def _take_embeddings(
    rows: npt.NDArray[np.void], embeddings: npt.NDArray[np.int8]
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int8]]:
    """Return rows that point at the embeddings they use, and only those."""
    has_one = rows["embedding"] >= 0
    used, places = np.unique(rows["embedding"][has_one], return_inverse=True)
    rows["embedding"][has_one] = places
    return rows, np.ascontiguousarray(embeddings[used])
