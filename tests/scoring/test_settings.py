"""Settings: from options and the environment, misspellings told."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import ConfigError
from scoring.settings import load_settings

GIVEN = {"store": Path("store"), "bundle": ("b",)}


def test_options_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEMOSTAT_PORT", "7000")
    monkeypatch.setenv("HEMOSTAT_BUNDLE", "shop=a,bazaar=b")
    assert load_settings({"store": Path("s")}).port == 7000
    assert load_settings({"store": Path("s")}).bundle == ("shop=a", "bazaar=b")
    assert load_settings({**GIVEN, "port": 7001, "policy": None}).port == 7001


def test_the_server_listens_on_the_loopback_device_unless_told_otherwise() -> None:
    assert load_settings(GIVEN, {}).host == "127.0.0.1"
    assert not load_settings(GIVEN, {}).reuse_port


def test_a_store_may_be_an_address_whose_slashes_stay() -> None:
    url = "redis+cluster://10.0.0.7:6379/?prefix=shop"
    settings = load_settings({**GIVEN, "store": url}, {})
    assert settings.store == url
    assert settings.decisions_folder == Path("hemostat-serving")
    assert settings.events_target == "hemostat-events"


def test_a_folder_keeps_decisions_inside_and_events_beside_it() -> None:
    settings = load_settings({**GIVEN, "store": Path("var/store")}, {})
    assert settings.decisions_folder == Path("var/store/serving")
    assert settings.events_target == "var/store-events"


@pytest.mark.parametrize("name", ["HEMOSTAT_PROT", "hemostat_prot"])
def test_a_misspelt_variable_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(GIVEN, {name: "1"})
    assert caught.value.field == name
    assert "HEMOSTAT_PORT" in caught.value.fix


def test_variables_of_other_parts_and_of_others_pass() -> None:
    load_settings(GIVEN, {"HEMOSTAT_JIT": "off", "HEMOSTAT_DATA": "/data", "HOME": "/root"})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"bundle": ("b",)}, "--store or HEMOSTAT_STORE"),
        ({**GIVEN, "store": ""}, "--store or HEMOSTAT_STORE"),
        ({**GIVEN, "port": 70_000}, "--port or HEMOSTAT_PORT"),
        ({**GIVEN, "deadline_ms": 0}, "--deadline-ms or HEMOSTAT_DEADLINE_MS"),
        ({**GIVEN, "bundle": ()}, "--bundle or HEMOSTAT_BUNDLE"),
        ({**GIVEN, "prot": 1}, "--prot or HEMOSTAT_PROT"),
    ],
)
def test_a_wrong_setting_is_named_as_option_and_variable(
    given: dict[str, object], field: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(given, {})
    assert caught.value.field == field


def test_settings_cannot_be_changed() -> None:
    settings = load_settings(GIVEN, {})
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
