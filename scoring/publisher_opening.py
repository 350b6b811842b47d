"""From settings to a publisher; what only publishing needs is loaded here and not before."""

from __future__ import annotations

from pathlib import Path

from features.errors import ConfigError
from features.log.appender import KAFKA_PREFIX, open_appender
from features.log.erasure_register import ErasureRegisters
from features.store.place import is_redis_url
from scoring.event_intake import EventCheck
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
    registers = [] if is_redis_url(settings.store) else [Path(settings.store)]
    if not target.startswith(KAFKA_PREFIX):
        registers.append(Path(target))
    return Publisher(
        appender=open_appender(target),
        check=check,
        read_erasures=ErasureRegisters(registers).read,
        metrics=metrics,
        max_waiting_events=settings.max_waiting_events,
    )


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
