"""Files of deploy/ parse, and every command, option and setting in them exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from features.store.place import is_redis_url
from scoring.settings import PREFIX, ServerSettings
from tests.command_lines import ROOT, find_faults

DEPLOY = ROOT / "deploy" / "stream"
UNITS = sorted(DEPLOY.glob("*.service"))
ENVIRONMENTS = sorted(DEPLOY.glob("*.env"))
SECTIONS = {
    "Unit": {"Description", "After", "Wants", "StartLimitIntervalSec"},
    "Service": {
        *("User", "EnvironmentFile", "ExecStart", "Restart", "RestartSec"),
        *("RestartPreventExitStatus", "TimeoutStopSec", "StateDirectory", "WorkingDirectory"),
        *("NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp"),
    },
    "Install": {"WantedBy"},
}


def _read_unit(file: Path) -> dict[str, dict[str, str]]:
    """Return the sections of a unit: keys and values."""
    sections: dict[str, dict[str, str]] = {}
    for line in file.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if header := re.fullmatch(r"\[(\w+)\]", line):
            current = sections.setdefault(header[1], {})
            continue
        key, equals, value = line.partition("=")
        assert equals, f"{file.name}: {line}"
        current[key] = value
    return sections


def _read_environment(file: Path) -> Iterator[tuple[str, str]]:
    """Yield all settings of a file, those that are commented out included."""
    for line in file.read_text().splitlines():
        if match := re.fullmatch(r"#?([A-Z_]+)=(\S.*)", line):
            yield match[1], match[2]
        else:
            assert not line or line.startswith("# "), f"{file.name}: {line}"


def _read_services() -> dict[str, dict[str, Any]]:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services: dict[str, dict[str, Any]] = composed["services"]
    return services


def _list_streams() -> list[list[str]]:
    commands = [service.get("command", []) for service in _read_services().values()]
    return [command for command in commands if command[:2] == ["hemostat", "stream"]]


def _get_option(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_units_have_known_settings_and_run_existing_commands(file: Path) -> None:
    unit = _read_unit(file)
    assert set(unit) == set(SECTIONS)
    for section, keys in unit.items():
        assert set(keys) <= SECTIONS[section]
    command = shlex.split(unit["Service"]["ExecStart"])
    assert command[0] == "/opt/hemostat/bin/hemostat"
    assert list(find_faults(["hemostat", *command[1:]])) == []


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_every_variable_of_a_unit_stands_in_its_settings(file: Path) -> None:
    service = _read_unit(file)["Service"]
    settings = dict(_read_environment(DEPLOY / Path(service["EnvironmentFile"]).name))
    assert set(re.findall(r"\$\{(\w+)\}", service["ExecStart"])) <= set(settings)


def test_settings_of_the_scorer_exist() -> None:
    known = {PREFIX + name.upper() for name in ServerSettings.model_fields}
    names = [name for name, _ in _read_environment(DEPLOY / "serve.env")]
    assert names
    assert set(names) <= known


@pytest.mark.parametrize("file", ENVIRONMENTS, ids=lambda file: file.name)
def test_stores_are_folders_or_addresses_that_are_understood(file: Path) -> None:
    stores = [value for name, value in _read_environment(file) if name.endswith("_STORE")]
    assert stores
    for store in stores:
        assert is_redis_url(store) or store.startswith("/")


def test_containers_run_existing_commands() -> None:
    commands = [service.get("command", []) for service in _read_services().values()]
    ours = [command for command in commands if command[:1] == ["hemostat"]]
    assert len(ours) == 3
    for command in ours:
        assert list(find_faults(command)) == []


def test_stream_processes_agree_on_all_addresses_and_each_has_its_own_number_and_folder() -> None:
    streams = _list_streams()
    (addresses,) = {_get_option(command, "--addresses") for command in streams}
    assert len(addresses.split(",")) == len(streams)
    numbers = [_get_option(command, "--process-id") for command in streams]
    assert sorted(numbers) == [str(number) for number in range(len(streams))]
    assert len({_get_option(command, "--state") for command in streams}) == len(streams)


def test_each_process_listens_under_its_own_name() -> None:
    services = _read_services()
    for name, service in services.items():
        command = service.get("command", [])
        if command in _list_streams():
            number = int(_get_option(command, "--process-id"))
            address = _get_option(command, "--addresses").split(",")[number]
            assert address.partition(":")[0] == name


def test_volumes_that_are_used_are_declared() -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    used = {
        volume.partition(":")[0]
        for service in composed["services"].values()
        for volume in service.get("volumes", [])
    }
    assert used == set(composed["volumes"])


def test_the_image_copies_only_what_is_there() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    assert copied
    for name in (name for names in copied for name in names):
        assert (ROOT / name).exists(), name
