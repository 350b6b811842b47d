"""`hemostat stream`: a source of events into the online store, once or for good."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from features.errors import (
    CommitConflictError,
    ConfigError,
    HemostatError,
    LogFormatError,
    SourceUnavailableError,
    StoreUnavailableError,
)
from features.store.place import is_redis_url
from hemostat.cli.output import ErrorReport, JsonOption, Output, write_error
from hemostat.cli.stream_tables import draw_status, draw_summary, format_duration, tell_next
from hemostat.cli.times import parse_time

if TYPE_CHECKING:
    from features.store.opening import StoreOptions
    from features.store.port import FeatureStore
    from stream.options import StreamOptions
    from stream.status import LedgerReader
    from stream.summary import StreamProgress, StreamSummary

_RUN = "run"
_UNREADABLE = ("malformed", "unknown_kind")
_EXIT_REFUSED = 2
_EXIT_AGAIN = 3
"""What a worker of a cluster ends with if a new beginning may mend it."""
_MENDABLE = (StoreUnavailableError, SourceUnavailableError, CommitConflictError)


class _RunUnlessNamed(TyperGroup):
    """Takes `hemostat stream SOURCE` as `hemostat stream run SOURCE`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if not args or args[0] not in self.commands:
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(name="stream", cls=_RunUnlessNamed)

StoreOption = Annotated[
    str, typer.Option("--store", help="The online store: a folder, or redis://HOST:PORT.")
]
DurableOption = Annotated[
    bool, typer.Option("--durable", help="Wait for the disk at each commit (folders).")
]
DeadLettersOption = Annotated[
    Path | None,
    typer.Option(help="Folder for rows that cannot be applied; default: STATE/dead_letters."),
]
StateOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the stream's own files; default: the store's, for Redis hemostat-stream."
    ),
]
KafkaOption = Annotated[
    list[str] | None,
    typer.Option(
        "--kafka", metavar="KEY=VALUE", help="A setting of the Kafka client; may be repeated."
    ),
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        help="An event log, a .jsonl file, a folder of .jsonl files, or kafka://HOST:PORT/TOPIC."
    ),
]
FollowOption = Annotated[
    bool, typer.Option("--follow", help="Go on at the end: wait for more events.")
]
WorkersOption = Annotated[
    int, typer.Option(help="Processes that share the work; more than one only with Redis.")
]
UntilOption = Annotated[
    str,
    typer.Option(help="Last ingest time to apply, e.g. 2011-06-01T00:00:00Z; default: all."),
]
BatchSizeOption = Annotated[
    int, typer.Option(help="Rows per batch; more are faster and become visible later.")
]
LogFormatOption = Annotated[
    str, typer.Option("--format", help="Of a log in both formats: parquet or jsonl.")
]
StoreWaitOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Seconds to wait for a store or broker that is away; "
        "default: 30, with --follow for ever.",
    ),
]
MetricsPortOption = Annotated[
    int | None, typer.Option(help="Serve Prometheus metrics on this port of 127.0.0.1.")
]
MapSizeGibOption = Annotated[
    int, typer.Option(min=1, help="Upper bound of a store on disk; disk is used as needed.")
]
ProcessIdOption = Annotated[
    int, typer.Option(help="Number of this process among --addresses, for several machines.")
]
AddressesOption = Annotated[
    str, typer.Option(help="host:port of every process, separated by commas.")
]


@app.callback()
def _group() -> None:
    """Stream events into the online store: `hemostat stream SOURCE --store STORE`."""


@app.command(_RUN, epilog="How far a store has come: hemostat stream status --help")
def run(
    source: SourceArgument,
    store: StoreOption,
    follow: FollowOption = False,
    workers: WorkersOption = 1,
    until: UntilOption = "",
    batch_size: BatchSizeOption = 10_000,
    log_format: LogFormatOption = "",
    dead_letters: DeadLettersOption = None,
    state: StateOption = None,
    store_wait: StoreWaitOption = None,
    metrics_port: MetricsPortOption = None,
    kafka: KafkaOption = None,
    map_size_gib: MapSizeGibOption = 64,
    durable: DurableOption = False,
    process_id: ProcessIdOption = 0,
    addresses: AddressesOption = "",
    as_json: JsonOption = False,
) -> None:
    """Stream events into the online store, going on where the last run ended.

    The store is made if it is not there. Scorers may read it at the same time;
    a second stream is refused. Rows that cannot be applied are filed with their
    reason, none is lost. Stop with Ctrl-C at any time.
    """
    from features.store.opening import StoreOptions
    from stream.cluster import check_workers
    from stream.options import DEFAULT_WAIT_S, ClusterPlace, StreamOptions, find_state_folder

    output = Output(as_json)
    members = tuple(word for word in addresses.split(",") if word)
    check_workers(max(workers, len(members)), is_redis=is_redis_url(store))
    default_wait_s = None if follow else DEFAULT_WAIT_S
    options = StreamOptions(
        state=state or find_state_folder(store),
        dead_letters=dead_letters,
        batch_size=batch_size,
        until_us=parse_time(until, "--until") if until else None,
        is_following=follow,
        wait_s=default_wait_s if store_wait is None else store_wait,
        log_format=log_format or None,
        kafka=_parse_settings(kafka or []),
        metrics_port=metrics_port,
        place=ClusterPlace(process_id, members),
    )
    if workers > 1:
        _run_workers(workers, store, options, output)
        return
    retry_s = 0.0 if options.wait_s == 0 else 2.0
    store_options = StoreOptions(durable, map_size_gib << 30, retry_s)
    summary = _run_here(source, store, options, output, store_options)
    text = tell_next(summary, store, options.letters_folder)
    output.show(summary, draw_summary(summary), text=text)
    _refuse_unreadable(summary, source, options.letters_folder)


def _refuse_unreadable(summary: StreamSummary, source: str, letters: Path) -> None:
    """Refuse a source of which no row could be read: it is no event log at all."""
    n_unreadable = sum(summary.dead_letters.get(reason, 0) for reason in _UNREADABLE)
    if summary.events_read and n_unreadable == summary.events_read:
        raise LogFormatError(
            "no row of the log is an event",
            field=source,
            value=f"{summary.events_read} rows, {n_unreadable} dead letters",
            expectation="events of hemostat.v1.Event",
            fix=f"see the reasons in {letters}",
        )


def _run_here(
    source: str, place: str, options: StreamOptions, output: Output, store_options: StoreOptions
) -> StreamSummary:
    """Stream in this process."""
    from features.store.opening import open_store
    from stream.cluster import ClusterEndedError
    from stream.runner import run_stream
    from stream.sources.opening import open_source

    is_local = "://" not in source
    if is_local:  # A wrong path makes no store.
        open_source(source, log_format=options.log_format).close()

    def open_writer() -> FeatureStore:
        return open_store(place, "write", store_options)

    store = open_writer()
    on_fault = _end_worker if options.place.is_cluster else _do_nothing
    try:
        if options.is_following or options.place.is_cluster:
            return run_stream(source, store, options, on_fault=on_fault, reopen=open_writer)
        with _show_progress(output) as on_progress:
            return run_stream(source, store, options, on_progress, reopen=open_writer)
    except KeyboardInterrupt:
        output.note("stopped; what was committed is kept, the same command goes on from there")
        raise
    except ClusterEndedError as error:
        write_error(ErrorReport.from_error(error), as_json=False)
        raise typer.Exit(_EXIT_AGAIN) from error
    finally:
        store.close()


def _do_nothing(_: Exception) -> None:
    pass


def _end_worker(error: Exception) -> None:
    """End a worker of a cluster at once; the others wait for its parts, and are ended, too."""
    if not isinstance(error, HemostatError):
        sys.excepthook(type(error), error, error.__traceback__)
        os._exit(1)
    write_error(ErrorReport.from_error(error), as_json=False)
    sys.stderr.flush()
    os._exit(_EXIT_AGAIN if isinstance(error, _MENDABLE) else _EXIT_REFUSED)


def _run_workers(n_workers: int, store: str, options: StreamOptions, output: Output) -> None:
    """Stream in several processes, and show what the store holds then."""
    from stream.cluster import WorkerGroup, make_worker_command
    from stream.runner import tell

    words = _drop_option(sys.argv[sys.argv.index("stream") + 1 :], "--workers")
    group = WorkerGroup(
        lambda number, all_of_them: make_worker_command(words, number, all_of_them),
        n_workers,
        wait_s=options.wait_s,
        log=tell,
    )
    done = group.run()
    with _open_reader(store) as reader:
        from stream.status import read_status

        status = read_status(reader, options.letters_folder, options.state)
    output.show(status, draw_status(status))
    if any(done.exit_codes):
        code = max(code for code in done.exit_codes)
        raise typer.Exit(code if code in (_EXIT_REFUSED, 130) else 1)


def _drop_option(words: Sequence[str], option: str) -> list[str]:
    """Return a command line without an option and its value.

    >>> _drop_option(["log", "--workers", "2", "--follow", "--workers=3"], "--workers")
    ['log', '--follow']
    """
    kept: list[str] = []
    is_value = False
    for word in words:
        if not is_value and word != option and not word.startswith(f"{option}="):
            kept.append(word)
        is_value = word == option
    return kept


def _parse_settings(words: Sequence[str]) -> dict[str, str]:
    """Return `key=value` words as settings."""
    settings = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise ConfigError(
                "not a setting",
                field="--kafka",
                value=word if "password" not in key else key,
                expectation="key=value, as security.protocol=SSL",
                fix="see the settings of librdkafka",
            )
        settings[key] = value
    return settings


@contextmanager
def _open_reader(store: str) -> Iterator[LedgerReader]:
    from features.store.opening import open_store

    reader = open_store(store, "read")
    try:
        yield reader
    finally:
        reader.close()


@app.command("status")
def show_status(
    store: StoreOption,
    log: Annotated[
        str, typer.Option("--log", help="The source, to tell how far the store is behind it.")
    ] = "",
    dead_letters: DeadLettersOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far a store has come: positions, lag, rate, row counts and dead letters."""
    from stream.options import find_state_folder
    from stream.sources.opening import open_source
    from stream.status import read_status

    folder = state or find_state_folder(store)
    source = open_source(log) if log else None
    with _open_reader(store) as reader:
        status = read_status(
            reader,
            dead_letters or folder / "dead_letters",
            folder,
            source,
            time.time_ns() // 1_000,
        )
    Output(as_json).show(status, draw_status(status))


@contextmanager
def _show_progress(output: Output) -> Iterator[Callable[[StreamProgress], None]]:
    """Yield what the stream tells where it stands; a bar with rate and lag on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("streaming"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} events/s  lag {task.fields[lag]}"),
        TimeElapsedColumn(),
        console=output.make_progress_console(),
        transient=True,
    )
    task = bar.add_task("", total=None, rate="-", lag="-")

    def tell(at: StreamProgress) -> None:
        bar.update(
            task,
            completed=at.rows_done,
            total=at.rows_total,
            rate=f"{at.events_per_s:,.0f}",
            lag="-" if at.lag is None else format_duration(at.lag),
        )

    with bar:
        yield tell
