"""What LMDB has let go is overwritten, what it holds is not."""

import random
from pathlib import Path

import lmdb
import pytest
from lmdb.verify import verify

from features.errors import StoreUnavailableError
from features.store.lmdb_scrub import scrub

SIZES = (40, 300, 900, 3_000, 9_000)  # In a page, alone in a page, on pages of its own.


def _open(path: Path) -> lmdb.Environment:
    return lmdb.open(str(path), map_size=1 << 28, max_dbs=4)


def _fill(path: Path, seed: int) -> dict[bytes, bytes]:
    """Write every key several times, so that old states of all pages lie about."""
    rng = random.Random(seed)
    keys = [rng.randbytes(16) for _ in range(3_000)]
    held: dict[bytes, bytes] = {}
    environment = _open(path)
    database = environment.open_db(b"records")
    for _ in range(3):
        with environment.begin(write=True, db=database) as transaction:
            for key in keys:
                held[key] = rng.randbytes(rng.choice(SIZES))
                transaction.put(key, held[key])
    environment.close()
    return held


def _delete(path: Path, keys: list[bytes]) -> None:
    environment = _open(path)
    database = environment.open_db(b"records", create=False)
    with environment.begin(write=True, db=database) as transaction:
        for key in keys:
            transaction.delete(key)
    environment.close()


def _read(path: Path) -> dict[bytes, bytes]:
    environment = _open(path)
    database = environment.open_db(b"records", create=False)
    with environment.begin(db=database) as transaction:
        held = dict(transaction.cursor())
    environment.close()
    return held


@pytest.mark.parametrize("seed", range(3))
def test_nothing_of_deleted_records_is_left_and_all_others_are_whole(
    tmp_path: Path, seed: int
) -> None:
    held = _fill(tmp_path, seed)
    victims = sorted(held)[:: 20 + seed]  # Some stand between two pages.
    gone = {key: held.pop(key) for key in victims}
    _delete(tmp_path, victims)
    before = (tmp_path / "data.mdb").read_bytes()
    assert any(key in before for key in victims)

    assert scrub(tmp_path, victims) > 0

    content = (tmp_path / "data.mdb").read_bytes()
    assert [key for key in victims if key in content] == []
    assert [key for key, value in gone.items() if value[:32] in content] == []
    assert not verify(str(tmp_path))  # type: ignore[no-untyped-call]
    assert _read(tmp_path) == held
    assert scrub(tmp_path, victims) == 0


def test_a_scrubbed_file_is_written_on_as_before(tmp_path: Path) -> None:
    held = _fill(tmp_path, 9)
    victims = sorted(held)[::2]
    _delete(tmp_path, victims)
    scrub(tmp_path, victims)
    environment = _open(tmp_path)
    database = environment.open_db(b"records", create=False)
    with environment.begin(write=True, db=database) as transaction:
        for key in victims:
            transaction.put(key, held[key])
    environment.close()
    assert _read(tmp_path) == held
    assert not verify(str(tmp_path))  # type: ignore[no-untyped-call]


_HOLD_A_STATE = """
import sys, lmdb
environment = lmdb.open(sys.argv[1], readonly=True, max_dbs=4)
with environment.begin() as transaction:
    print("reading", flush=True)
    sys.stdin.readline()
"""


def test_a_reader_of_an_old_state_is_waited_for(tmp_path: Path) -> None:
    import subprocess
    import sys

    held = _fill(tmp_path, 4)
    victims = sorted(held)[:5]
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD_A_STATE, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        reader.stdout.readline()
        _delete(tmp_path, victims)
        with pytest.raises(StoreUnavailableError, match="old state"):
            scrub(tmp_path, victims, sleep=lambda _: None)
        stdin = reader.stdin

        def end_the_reader(_: float) -> None:
            stdin.close()
            reader.wait()

        assert scrub(tmp_path, victims, sleep=end_the_reader) > 0


def test_what_is_no_lmdb_file_is_left_alone(tmp_path: Path) -> None:
    _fill(tmp_path, 5)
    file = tmp_path / "data.mdb"
    content = bytearray(file.read_bytes())
    # The root of the main database points nowhere.
    for meta in (0, 4096):
        content[meta + 16 + 24 + 48 + 40 : meta + 16 + 24 + 48 + 48] = (2**40).to_bytes(8, "little")
    from features.store import lmdb_scrub

    file.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match="not laid out"):
        lmdb_scrub._scrub_file(file, ())
    assert file.read_bytes() == bytes(content)
