"""From settings to a publisher; what only publishing needs is loaded here and not before."""

from __future__ import annotations

from pathlib import Path

from features.errors import ConfigError
from features.log.appender import KAFKA_PREFIX, open_appender
from features.log.erasure_register import AllErasures
from features.store.opening import open_store
from features.store.place import is_redis_url
from scoring.event_intake import EventCheck
from scoring.known_erasures import KnownErasures
from scoring.metrics import ScoringMetrics
from scoring.publishing import Publisher
from scoring.settings import ServerSettings


def open_publisher(settings: ServerSettings, metrics: ScoringMetrics) -> Publisher:
    """Return a publisher to the log that the settings name.

    Raises:
        ConfigError: It is no log, or what publishing needs is not installed.
        StoreUnavailableError: It cannot be reached or written.
        LogFormatError: It is damaged.
    """
    target = settings.events_target
    check = _load_check()
    appender = open_appender(target)
    try:
        erasures = _open_erasures(settings.store, target)
    except BaseException:
        appender.close()
        raise
    return Publisher(
        appender=appender,
        check=check,
        erasures=erasures,
        metrics=metrics,
        max_waiting_events=settings.max_waiting_events,
    )


def _open_erasures(store: str, target: str) -> KnownErasures:
    """Return who was erased, by the registers of the store and of the log."""
    folders = [] if target.startswith(KAFKA_PREFIX) else [Path(target)]
    if not is_redis_url(store):
        return KnownErasures(AllErasures(None, [Path(store), *folders]), is_remote=False)
    reader = open_store(store, "read")
    return KnownErasures(AllErasures(reader, folders), is_remote=True, close=reader.close)


def _load_check() -> EventCheck:
    try:
        from scoring.event_checks import check_events
    except ImportError as error:
        raise ConfigError(
            "publishing events is not installed on this server",
            field="PublishEvents",
            value=f"no module {error.name}",
            expectation="the extra `log`",
            fix="pip install 'hemostat[log]'",
        ) from error
    return check_events
