"""Where a server runs and what it reads: one frozen object, from options and the environment.

What is decided (thresholds, caps, columns) is not here but in policy and bundle.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from features.errors import ConfigError
from features.spelling import suggest
from features.store.place import is_redis_url
from scoring.policy import DEFAULT_POLICY

PREFIX = "HEMOSTAT_"

# Read by other parts: the compiled core, signed bundles and the tests.
_OTHERS = (
    "HEMOSTAT_DATA",
    "HEMOSTAT_JIT",
    "HEMOSTAT_REQUIRE",
    "HEMOSTAT_RUN_MARK",
    "HEMOSTAT_SIGNING_KEY",
    "HEMOSTAT_TRUSTED_KEYS",
)

Port = Annotated[int, Field(ge=0, le=65535)]


class ServerSettings(BaseSettings):
    """Settings of one scoring server; each is also a variable, `HEMOSTAT_PORT` and so on.

    Attributes:
        store: The online store: a folder, or an address of Redis
            (`redis[s][+cluster]://HOST:PORT/?prefix=NAME`).
        bundle: Model bundles: `PATH` (of the tenant in its manifest) or `TENANT=PATH`;
            in the environment separated by commas.
        decisions: Folder of the decision log; default: `serving` in the store's folder,
            for a store in Redis `hemostat-serving`.
        events: Where published events go: the folder of an embedded log, made if it is
            not there, or `kafka://HOST:PORT/TOPIC`; default: a folder
            beside the store, its name with `-events`, for a store in Redis
            `hemostat-events`.
        max_waiting_events: Published events that may wait before calls are turned away.
        policy: Policy file.
        host: Address to listen on. The server speaks plaintext: outside of the loopback
            device put it behind a proxy that adds TLS.
        port: gRPC port; 0: any free one.
        metrics_port: Port of `/metrics`; 0: any free one.
        clock: `wall`, `log-end` or `replay:TIME`; see `scoring.clock`.
        reuse_port: Share the port with other servers (one per core).
        deadline_ms: For calls that bring no deadline.
        max_waiting_rows: Rows of the model that may wait before calls are turned away.
        max_batch_rows: Rows that are answered together.
        reload_interval_s: How often bundle and policy are looked at for a change.
        drain_s: How long calls in progress may take after SIGTERM.
        ready_file: Written, with the addresses as JSON, when calls are taken.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    store: str = Field(min_length=1)
    bundle: Annotated[tuple[str, ...], NoDecode] = Field(min_length=1)
    decisions: Path | None = None
    events: str | None = None
    max_waiting_events: int = Field(20_000, ge=1)
    policy: Path = DEFAULT_POLICY
    host: str = "127.0.0.1"
    port: Port = 50051
    metrics_port: Port = 9464
    clock: str = "wall"
    reuse_port: bool = False
    deadline_ms: float = Field(50, gt=0)
    max_waiting_rows: int = Field(4096, ge=1)
    max_batch_rows: int = Field(64, ge=1)
    reload_interval_s: float = Field(2.0, gt=0)
    drain_s: float = Field(5.0, ge=0)
    ready_file: Path | None = None

    @property
    def decisions_folder(self) -> Path:
        """Where the decision log stands."""
        if self.decisions is not None:
            return self.decisions
        return Path("hemostat-serving") if is_redis_url(self.store) else Path(self.store, "serving")

    @property
    def events_target(self) -> str:
        """Where published events go. Not into the store: that can be rebuilt from the log."""
        if self.events is not None:
            return self.events
        if is_redis_url(self.store):
            return "hemostat-events"
        store = Path(self.store)
        return str(store.with_name(f"{store.name}-events"))

    @field_validator("store", mode="before")
    @classmethod
    def _name_store(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_validator("bundle", mode="before")
    @classmethod
    def _split_bundles(cls, value: Any) -> Any:
        return tuple(value.split(",")) if isinstance(value, str) else value


def load_settings(
    given: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> ServerSettings:
    """Return the settings: what was given, else the environment, else the defaults.

    Args:
        given: From the command line; None values count as not given.
        environment: Checked for misspelt variables; values are read from the
            process's own environment.

    Raises:
        ConfigError: A value is wrong, or a `HEMOSTAT_` variable does not exist.
    """
    known = [PREFIX + name.upper() for name in ServerSettings.model_fields]
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in (*known, *_OTHERS):
            raise ConfigError(
                "there is no such setting",
                field=name,
                value=environment[name][:40],
                expectation="a known HEMOSTAT_ variable",
                fix=suggest(name.upper(), (*known, *_OTHERS)),
            )
    try:
        return ServerSettings(**{name: v for name, v in given.items() if v is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise ConfigError(
            "a setting is missing" if first["type"] == "missing" else "a setting is wrong",
            field=f"--{name.replace('_', '-')} or {PREFIX}{name.upper()}",
            value="" if first["type"] == "missing" else repr(first["input"])[:60],
            expectation=first["msg"],
            fix="see `hemostat serve --help`",
        ) from error
