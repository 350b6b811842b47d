"""The same questions through the whole path: log, stream, store on disk, record, vector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.twin.core_answer import CoreQuestions
from features.definitions import N_FEATURES
from features.log.reader import EventLog
from features.record import decode_records
from features.store.lmdb_store import LmdbFeatureStore
from features.store.port import FeatureReader
from features.vector import STATE_GUEST, STATE_KNOWN, STATE_NEW, compute_vectors
from stream.runner import StreamOptions, run_stream


def read_vectors(store: FeatureReader, questions: CoreQuestions) -> npt.NDArray[np.float32]:
    """Return the vectors from what the store holds now, as a scorer reads them."""
    blobs = store.read_records([key.tobytes() for key in questions.entity_keys])
    is_known = np.array([blob is not None for blob in blobs]) & ~questions.is_guest
    states = np.where(is_known, STATE_KNOWN, STATE_NEW)
    states = np.where(questions.is_guest, STATE_GUEST, states).astype(np.int8)
    records = decode_records(blobs)
    return compute_vectors(records, np.arange(len(records)), states, questions.requests)


def compute_streamed(
    log: Path, folder: Path, questions: CoreQuestions, batch_size: int = 1_000
) -> npt.NDArray[np.float32]:
    """Return the vectors, the stream being stopped at each question's time in turn.

    One store, filled by one run per distinct time; each goes on where the last one
    stopped.

    Args:
        log: The event log.
        folder: Where the store and the dead letters are made.
        questions: With few distinct times; in any order.
        batch_size: Rows per batch of the stream.
    """
    opened = EventLog(log)
    times_us = questions.requests["time_us"]
    out = np.empty((len(times_us), N_FEATURES), np.float32)
    with LmdbFeatureStore.open_writer(folder / "store") as store:
        for cut_us in np.unique(times_us):
            options = StreamOptions(folder / "dead_letters", batch_size, until_us=int(cut_us))
            run_stream(opened, store, options)
            asked = np.flatnonzero(times_us == cut_us)
            part = CoreQuestions(
                questions.requests[asked], questions.entity_keys[asked], questions.is_guest[asked]
            )
            out[asked] = read_vectors(store, part)
    return out
