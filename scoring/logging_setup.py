"""Log lines of the server: one JSON object a line on stderr, never an id of anybody."""

from __future__ import annotations

import sys

import structlog


def configure_logging() -> None:
    """Send all log lines of this process to stderr as JSON."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
