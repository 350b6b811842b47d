"""Labels of a decision log as lines of JSON, for event logs that its servers cannot write to."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import json_format

from scoring.decision_log import DecisionLog
from scoring.serving_store import ServingStore


@dataclass(frozen=True, slots=True)
class ExportedLabels:
    """What was written.

    Attributes:
        labels: Lines.
        told: Labels left out because the event log is known to hold them.
    """

    labels: int
    told: int


def export_labels(folder: Path, target: Path, *, is_untold_only: bool = False) -> ExportedLabels:
    """Write the labels that outcomes made as `label_set` events; servers go on meanwhile.

    Each line is an event as `hemostat train` and the stream read it, with the time at which
    its outcome was recorded as ingest time. The file is replaced as a whole. Not to be
    called where an event loop runs.

    Args:
        folder: The decision log's.
        target: The file.
        is_untold_only: Leave out what the servers have appended to their event log.

    Raises:
        StoreUnavailableError: The decision log cannot be read.
    """

    async def export() -> ExportedLabels:
        store = ServingStore.open(folder)
        try:
            return _write(DecisionLog(store), target, is_untold_only=is_untold_only)
        finally:
            await store.close()

    return asyncio.run(export())


def _write(log: DecisionLog, target: Path, *, is_untold_only: bool) -> ExportedLabels:
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    keys = log.list_untold() if is_untold_only else log.list_labels()
    n_written = 0
    with draft.open("w", encoding="utf-8") as file:
        for key in keys:
            event = log.read_label(key)
            if event is None:  # Its customer was erased meanwhile.
                continue
            event.ingest_time.CopyFrom(event.event_time)
            line = json_format.MessageToDict(event, preserving_proto_field_name=True)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            n_written += 1
    draft.replace(target)
    return ExportedLabels(n_written, len(log.list_labels()) - len(keys))
