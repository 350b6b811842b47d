"""The journal keeps what was decided, tells tampering, and survives a torn write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from features.errors import HemostatError
from training.registry.gate_terms import Gate
from training.registry.journal import (
    JOURNAL_FILE,
    Entry,
    Signature,
    list_champions,
    open_journal,
    read_journal,
)

Sign = Callable[..., Signature]


def _write(out: Path, sign: Sign, n: int = 4) -> list[bytes]:
    for day in range(1, n + 1):
        with open_journal(out) as journal:
            journal.append("promoted", f"m{day}", sign(day), reason=f"reason {day}")
    return (out / JOURNAL_FILE).read_bytes().splitlines(keepends=True)


def test_what_is_written_is_read(out: Path, sign: Sign) -> None:
    gate = Gate(name="recall", head="h", value=0.25, rule="at least", bar=0.5, is_met=False)
    with open_journal(out) as journal:
        first = journal.append("trained", "a", sign(1), version="aa")
        second = journal.append("refused", "b", sign(2, by="bob"), gates=[gate], reason="为什么")
    assert read_journal(out) == [first, second]
    assert (second.n, second.prev, second.by) == (1, first.sha256, "bob")
    assert second.at == "2026-01-02T00:00:00+00:00"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [lines[0].replace(b"reason 1", b"reason 9"), *lines[1:]], 1),
        (lambda lines: [lines[0], *lines[2:]], 2),
        (lambda lines: [lines[1], lines[0], *lines[2:]], 1),
        (lambda lines: [*lines, lines[-1]], 5),
        (lambda lines: [lines[0], b"no json\n", *lines[1:]], 2),
        (lambda lines: [lines[0].replace(b'"n":0', b'"n": 0'), *lines[1:]], 1),
    ],
    ids=["changed", "removed", "swapped", "repeated", "inserted", "spaced"],
)
def test_tampering_is_found_and_its_line_named(
    out: Path, sign: Sign, change: Callable[[list[bytes]], list[bytes]], line: int
) -> None:
    lines = _write(out, sign)
    (out / JOURNAL_FILE).write_bytes(b"".join(change(lines)))
    for read in (read_journal, lambda path: open_journal(path).__enter__()):
        with pytest.raises(HemostatError, match="tampered") as caught:
            read(out)
        assert caught.value.field.endswith(f"{JOURNAL_FILE}:{line}")


def test_every_torn_last_line_is_cut_off_and_the_chain_goes_on(out: Path, sign: Sign) -> None:
    lines = _write(out, sign, 2)
    for n_bytes in range(1, len(lines[1])):
        (out / JOURNAL_FILE).write_bytes(lines[0] + lines[1][:n_bytes])
        if n_bytes % 40 == 1:
            assert [entry.model for entry in read_journal(out)] == ["m1"]
            with open_journal(out) as journal:
                journal.append("promoted", "m3", sign(3))
            assert [entry.model for entry in read_journal(out)] == ["m1", "m3"]


def test_a_folder_without_a_journal_has_an_empty_one(out: Path) -> None:
    assert read_journal(out) == []


@pytest.mark.parametrize(
    ("actions", "champions"),
    [
        ("trained:a promoted:a trained:b refused:b", "a"),
        ("promoted:a promoted:b promoted:c", "a b c"),
        ("promoted:a promoted:b rolled_back:a", "a"),
        ("promoted:a promoted:b rolled_back:a promoted:c", "a c"),
        ("promoted:a promoted:b promoted:c rolled_back:b rolled_back:a", "a"),
        ("promoted:a promoted:b found:a", "a"),
        ("promoted:a found:b", "a b"),
        ("promoted:a found:", ""),
        ("promoted:a promoted:b promoted:a", "a b a"),
    ],
)
def test_the_way_back_leads_over_champions_only(actions: str, champions: str) -> None:
    entries = [
        Entry(n=n, prev="", at="", by="", action=action, model=model)  # type: ignore[arg-type]
        for n, (action, model) in enumerate(word.split(":") for word in actions.split())
    ]
    assert list_champions(entries) == champions.split()
