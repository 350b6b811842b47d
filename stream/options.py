"""How a source is streamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from features.errors import ConfigError
from features.keys import N_SHARDS
from features.log.validation import DEFAULT_RULES, AcceptanceRules
from features.store.place import is_redis_url
from stream.shard_groups import ShardGroups

DEFAULT_BATCH_SIZE = 10_000
MAX_BATCH_SIZE = 1_000_000
DEFAULT_WAIT_S = 30.0


def find_state_folder(store: str) -> Path:
    """Return where a stream keeps its own files unless it is told: in the store's folder.

    >>> find_state_folder("redis://127.0.0.1:6379")
    PosixPath('hemostat-stream')
    """
    return Path("hemostat-stream") if is_redis_url(store) else Path(store)


@dataclass(frozen=True, slots=True)
class ClusterPlace:
    """Which process of a cluster this is.

    Attributes:
        process_id: Its number, from 0.
        addresses: `host:port` of each process, in the order of their numbers.
    """

    process_id: int = 0
    addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.addresses) > N_SHARDS:
            raise ConfigError(
                "there are more processes than shards",
                field="--addresses",
                value=f"{len(self.addresses)} addresses",
                expectation=f"at most {N_SHARDS}",
                fix=f"run {N_SHARDS} processes: a shard has one owner",
            )
        if not 0 <= self.process_id < max(1, len(self.addresses)):
            raise ConfigError(
                "the process is none of the cluster's",
                field="--process-id",
                value=str(self.process_id),
                expectation=f"0 to {max(0, len(self.addresses) - 1)}",
                fix="give each process the same --addresses and its own --process-id",
            )

    @property
    def is_cluster(self) -> bool:
        """Return whether there are other processes."""
        return self.n_processes > 1

    @property
    def n_processes(self) -> int:
        """Return how many processes there are, this one included."""
        return max(1, len(self.addresses))


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How a source is streamed.

    Attributes:
        state: Folder of the stream's own files: what it tells of itself, the register of
            erased customers, dead letters. A store on disk has them in its folder.
        dead_letters: Folder for rows that cannot be applied; None: in `state`.
        batch_size: Rows per batch. More are faster and become visible later.
        until_us: Last `ingest_time` to apply, microseconds UTC; None applies all. A
            later run goes on from there.
        is_following: Go on when the end is reached, and wait for more.
        wait_s: How long a store or broker that is away is waited for, without any
            progress; None: for ever.
        log_format: For logs in several formats: `parquet` or `jsonl`.
        registers: More folders with a register of erased customers (the log's).
        kafka: More settings of the Kafka client.
        metrics_port: Where Prometheus finds the metrics; None: nowhere.
        place: Which process of a cluster this is.
        acceptance: Bounds of lateness.

    Raises:
        ConfigError: `batch_size` is out of range.
    """

    state: Path
    dead_letters: Path | None = None
    batch_size: int = DEFAULT_BATCH_SIZE
    until_us: int | None = None
    is_following: bool = False
    wait_s: float | None = 0.0
    log_format: str | None = None
    registers: tuple[Path, ...] = ()
    kafka: Mapping[str, str] = field(default_factory=dict)
    metrics_port: int | None = None
    place: ClusterPlace = ClusterPlace()
    acceptance: AcceptanceRules = DEFAULT_RULES

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= MAX_BATCH_SIZE:
            raise ConfigError(
                "the batch size is out of range",
                field="--batch-size",
                value=str(self.batch_size),
                expectation=f"1 to {MAX_BATCH_SIZE}",
                fix=f"leave it out: {DEFAULT_BATCH_SIZE} is a good one",
            )

    @property
    def letters_folder(self) -> Path:
        """Return the folder of the dead letters."""
        return self.dead_letters or self.state / "dead_letters"

    @property
    def groups(self) -> ShardGroups:
        """Return the division of the shards: as few groups as are even among the workers."""
        n_workers = self.place.n_processes
        return ShardGroups(N_SHARDS if N_SHARDS % n_workers else n_workers)
