"""The generated repository says of every feature what the table of definitions says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from feast.types import Float32

from features.definitions import FEATURES, SCHEMA_HASH
from features.errors import ConfigError
from hemostat.feast_store.repository import write_repository
from hemostat.feast_store.views import list_views, needs_request

Shop = Any


def test_the_registry_holds_every_view(shop: Shop) -> None:
    feast = shop.open_feast("unused")
    found = {
        view.name: [field.name for field in view.features] for view in feast.list_feature_views()
    }
    expected = {view.name: [feature.name for feature in view.features] for view in list_views()}
    assert found == expected


def test_a_case_has_all_features_with_their_meaning(shop: Shop) -> None:
    feast = shop.open_feast("unused")
    fields = {field.name: field for field in feast.get_feature_view("case_vectors").features}
    assert list(fields) == [feature.name for feature in FEATURES]
    for feature in FEATURES:
        field = fields[feature.name]
        assert field.dtype == Float32
        assert field.description == feature.description
        assert field.tags["entity"] == feature.entity
        assert field.tags["unit"] == feature.unit
        assert field.tags["default"] == feature.default
        assert field.tags["owner"] == feature.owner
        assert field.tags.get("window") == (feature.window.name if feature.window else None)


def test_every_feature_that_needs_no_case_stands_in_the_view_of_its_subject() -> None:
    of_subjects = [feature.name for view in list_views()[1:] for feature in view.features]
    expected = [f.name for f in FEATURES if not f.is_request and not needs_request(f)]
    assert sorted(of_subjects) == sorted(expected)


def test_the_service_names_the_schema_that_it_was_made_from(shop: Shop) -> None:
    service = shop.open_feast("unused").get_feature_service("scoring")
    assert service.tags == {"schema_hash": SCHEMA_HASH}


def test_a_repository_is_written_anew_in_its_place(tmp_path: Path) -> None:
    write_repository(tmp_path, project="one", store="s", feature_log="f")
    first = (tmp_path / "hemostat_features.py").read_bytes()
    write_repository(tmp_path, project="two", store="s", feature_log="f")
    assert (tmp_path / "hemostat_features.py").read_bytes() == first
    assert "project: two" in (tmp_path / "feature_store.yaml").read_text()


def test_somebody_elses_files_are_left_alone(tmp_path: Path) -> None:
    settings = tmp_path / "feature_store.yaml"
    settings.write_text("project: theirs\n")
    with pytest.raises(ConfigError, match="did not write"):
        write_repository(tmp_path, project="p", store="s", feature_log="f")
    assert settings.read_text() == "project: theirs\n"
    assert list(tmp_path.iterdir()) == [settings]
