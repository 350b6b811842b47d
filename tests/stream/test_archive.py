"""An archive is streamed like the log that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hemostat.cli.main import main
from stream.runner import stream_to_disk
from stream.summary import StreamSummary


def test_an_archive_gives_the_records_of_its_log_and_the_log_goes_on_where_it_ends(
    tmp_path: Path,
    troubled_log: Path,
    whole_run: tuple[Path, StreamSummary],
    dump_store: Callable[[Path | str], dict[str, Any]],
) -> None:
    archive, store = str(tmp_path / "archive"), tmp_path / "store"
    assert main(["log", "archive", str(troubled_log), "--to", archive, "--json"]) == 0
    stream_to_disk(archive, store, batch_size=300)
    assert stream_to_disk(troubled_log, store).events_read == 0
    held, expected = dump_store(store), dump_store(whole_run[0])
    assert held["records"] == expected["records"]
    assert held["progress"] == expected["progress"]
