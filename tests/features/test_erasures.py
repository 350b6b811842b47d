"""Who was erased: by customer and time, whatever the order of the register."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.erasures import Erasures, compute_tombstone, merge_erasures

_keys = st.binary(min_size=16, max_size=16).filter(any)


@given(st.dictionaries(_keys, st.integers(0, 100), max_size=20), st.lists(_keys, max_size=20))
def test_membership_is_that_of_a_plain_dictionary(
    registered: dict[bytes, int], others: list[bytes]
) -> None:
    erasures = Erasures.of({compute_tombstone(key): us for key, us in registered.items()})
    keys = [*registered, *others]
    for time_us in (0, 50, 100):
        rows = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16)
        found = erasures.find_erased(rows, np.full(len(keys), time_us))
        assert found.tolist() == [key in registered and time_us <= registered[key] for key in keys]


def test_a_guest_is_never_erased() -> None:
    guest = bytes(16)
    erasures = Erasures.of({compute_tombstone(guest): 100})
    assert not erasures.find_erased(np.zeros((1, 16), np.uint8), np.zeros(1, np.int64)).any()


def test_a_tombstone_does_not_show_the_key() -> None:
    key = b"0123456789abcdef"
    tombstone = compute_tombstone(key)
    assert len(tombstone) == 16
    assert not any(key[n : n + 4] in tombstone for n in range(12))


def test_the_latest_erasure_of_several_registers_holds() -> None:
    name = compute_tombstone(b"k" * 16)
    merged = merge_erasures(Erasures.of({name: 5}), Erasures.of({name: 9}), Erasures.empty())
    assert merged.to_tombstones() == {name: 9}
