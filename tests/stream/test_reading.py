"""Reading ahead: while behind, one batch is ready; caught up, none is read before its time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from features.erasures import Erasures
from features.log.validation import DEFAULT_RULES
from stream.batches import RowBatch
from stream.dead_letters import DeadLetterFiles
from stream.decoding import DecodingRules
from stream.reading import BatchReader, ReadAhead
from stream.sources.port import Encoding, Raw, RawRows

_WAIT_S = 20.0
_ROW = json.dumps(
    {
        "event_id": "e1",
        "tenant": "t",
        "event_time": "2026-03-01T12:00:00Z",
        "channel": "CHANNEL_WEB",
        "product_viewed": {"sku": "s"},
    }
).encode()


class _Rows:
    """A source of one partition whose reads give what they are told to."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = list(sizes)
        self._offset = 0
        self.n_reads = 0
        self.is_closed = False

    def read(self, max_rows: int) -> Sequence[Raw]:
        self.n_reads += 1
        size = self._sizes.pop(0) if self._sizes else 0
        if not size:
            return []
        assert size <= max_rows
        offsets = np.arange(self._offset, self._offset + size)
        self._offset += size
        buffer = np.frombuffer(bytearray(_ROW * size), np.uint8)
        ends = np.arange(1, size + 1) * len(_ROW)
        return [RawRows(0, offsets, buffer, ends, Encoding.JSON)]

    def find_ended(self) -> Mapping[int, int]:
        return {0: 0} if not self._sizes else {}

    def read_ends(self) -> Mapping[int, int]:
        return {0: self._offset}

    def stop(self, partition: int) -> None:
        raise AssertionError(partition)

    def close(self) -> None:
        self.is_closed = True


class _Case:
    def __init__(self, tmp_path: Path, sizes: Sequence[int], *, is_following: bool = True) -> None:
        self.source = _Rows(sizes)
        reader = BatchReader(
            0,
            self.source,
            {0: 0},
            rules=DecodingRules("log", DEFAULT_RULES, None),
            batch_size=20,
            is_following=is_following,
            is_finite=False,
            end_us=0,
            dead_letters=DeadLetterFiles(tmp_path),
            read_erasures=Erasures.empty,
            clock=lambda: 0.0,
        )
        self.ahead = ReadAhead(reader, lambda _decoded, _ends: None, max_in_flight=2)

    def take(self) -> RowBatch:
        batch = self.ahead.take(_WAIT_S)
        assert batch is not None
        return batch


@pytest.fixture
def cases() -> Iterator[list[_Case]]:
    """Cases to be closed in the end."""
    made: list[_Case] = []
    yield made
    for case in made:
        case.ahead.close()
        assert case.source.is_closed


def test_caught_up_nothing_is_read_until_the_batch_before_is_done(
    tmp_path: Path, cases: list[_Case]
) -> None:
    case = _Case(tmp_path, [3, 4])
    cases.append(case)
    assert len(case.take().events) == 3
    assert case.ahead.take(0.05) is None
    assert case.source.n_reads == 1
    case.ahead.note_done()
    assert len(case.take().events) == 4


def test_behind_the_next_batch_is_ready_before_the_one_before_is_done(
    tmp_path: Path, cases: list[_Case]
) -> None:
    case = _Case(tmp_path, [20, 10, 3, 1])
    cases.append(case)
    assert len(case.take().events) == 20
    assert len(case.take().events) == 10
    assert case.ahead.n_in_flight == 2


def test_no_more_batches_are_handed_on_than_may_be_on_their_way(
    tmp_path: Path, cases: list[_Case]
) -> None:
    case = _Case(tmp_path, [20, 20, 20])
    cases.append(case)
    case.take()
    case.take()
    assert case.ahead.take(0.05) is None
    case.ahead.note_done()
    assert len(case.take().events) == 20


def test_a_source_that_is_not_followed_is_read_ahead_whatever_its_reads_give(
    tmp_path: Path, cases: list[_Case]
) -> None:
    case = _Case(tmp_path, [1, 1], is_following=False)
    cases.append(case)
    case.take()
    case.take()
    assert case.ahead.n_in_flight == 2


def test_closing_ends_a_reader_that_waits(tmp_path: Path, cases: list[_Case]) -> None:
    case = _Case(tmp_path, [1])
    cases.append(case)
    case.take()  # Closed by the fixture, never done.
