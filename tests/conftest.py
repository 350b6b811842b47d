"""What all tests share: the real data sets, figures worth printing, what was left out and why.

Optional parts (a data set, a server) that are absent are skipped with a reason
that says how to enable them; the summary at the end of the run lists them. With
HEMOSTAT_REQUIRE=all an absent part fails instead, so that CI cannot pass by
leaving checks out.
"""

from __future__ import annotations

import gc
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.kafka_broker import kafka_broker
from tests.redis_servers import redis_cluster_url, redis_server

__all__ = ["kafka_broker", "redis_cluster_url", "redis_server"]  # Fixtures of all folders.

# A busy machine is slow, not wrong: no example fails for its time.
settings.register_profile("hemostat", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hemostat")

ROOT = Path(__file__).resolve().parent.parent
RESULT = "result"  # Key of the figures among a report's properties.
OPTIONAL = "optional part absent"
REAL_DATA = (
    "the real data sets",
    "set HEMOSTAT_DATA to the folder that holds online_retail/online_retail.parquet",
)


def leave_out(part: str, enable: str) -> NoReturn:
    """Skip the test because an optional part is absent; fail under HEMOSTAT_REQUIRE=all."""
    reason = f"{OPTIONAL}: {part}; to enable: {enable}"
    if os.environ.get("HEMOSTAT_REQUIRE") == "all":
        pytest.fail(f"{reason} (HEMOSTAT_REQUIRE=all forbids leaving it out)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def skip_optional() -> Callable[[str, str], NoReturn]:
    """Call with the absent part and how to enable it; see `leave_out`."""
    return leave_out


@pytest.fixture(scope="session")
def real_data_or_none() -> Path | None:
    """The folder of the real data sets, or None; for tests that do the rest without it."""
    folder = Path(os.environ.get("HEMOSTAT_DATA") or ROOT.parent / "shared" / "data")
    return folder if (folder / "online_retail" / "online_retail.parquet").is_file() else None


@pytest.fixture(scope="session")
def real_data(real_data_or_none: Path | None) -> Path:
    """The folder of the real data sets (`online_retail/online_retail.parquet`, ...)."""
    return real_data_or_none or leave_out(*REAL_DATA)


@pytest.fixture(scope="session")
def online_retail(real_data: Path) -> Path:
    """The UCI Online Retail file."""
    return real_data / "online_retail" / "online_retail.parquet"


@pytest.fixture
def print_result(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a measured figure in the summary of the run, also when all tests pass.

    For claims that a reader wants to see, as `twin: 20,480 pairs, 0 differences`.
    """

    def add(line: str) -> None:
        request.node.user_properties.append((RESULT, line))

    return add


def pytest_unconfigure() -> None:
    """Undo the servers' `gc.freeze`, so that libraries end without complaints of leaks."""
    gc.unfreeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the figures that tests printed, and the optional parts that were absent."""
    results = [
        str(value)
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for key, value in report.user_properties
        if key == RESULT
    ]
    if results:
        terminalreporter.section("results of this run")
        for line in results:
            terminalreporter.line(line)
    absent: Counter[str] = Counter()
    for report in terminalreporter.getreports("skipped"):
        _path, _line, reason = report.longrepr
        if match := re.search(rf"{OPTIONAL}: (.*)", reason):
            absent[match[1]] += 1
    if absent:
        terminalreporter.section("checks left out")
        for reason, count in sorted(absent.items()):
            terminalreporter.line(f"{count} tests need {reason}")
