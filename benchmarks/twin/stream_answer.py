"""The same questions through the whole path: log, stream, store on disk, record, vector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.twin.core_answer import CoreQuestions
from features.definitions import N_FEATURES
from features.keys import ENTITY_KEY_SIZE
from features.store.lmdb_writer import LmdbFeatureStore
from features.store.port import FeatureReader
from features.vector import STATE_OK, compute_vectors
from stream.options import StreamOptions
from stream.runner import run_stream


def read_vectors(store: FeatureReader, questions: CoreQuestions) -> npt.NDArray[np.float32]:
    """Return the vectors from what the store holds now, as a scorer reads them."""
    packed = store.read_packed(questions.entity_keys.reshape(-1, ENTITY_KEY_SIZE))
    states = np.full(len(questions.requests), STATE_OK, np.int8)
    return compute_vectors(packed, questions.is_named, states, questions.requests)


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
    times_us = questions.requests["time_us"]
    out = np.empty((len(times_us), N_FEATURES), np.float32)
    with LmdbFeatureStore.open_writer(folder / "store") as store:
        for cut_us in np.unique(times_us):
            options = StreamOptions(
                folder / "store", folder / "dead_letters", batch_size, until_us=int(cut_us)
            )
            run_stream(str(log), store, options)
            asked = np.flatnonzero(times_us == cut_us)
            out[asked] = read_vectors(store, questions.take(asked))
    return out
