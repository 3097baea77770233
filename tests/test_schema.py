"""The JSON schemas of conf/: every file of the project fits its own, and a wrong key or value does not."""

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from atelier.new import make_project
from atelier.option_files import groups
from atelier.project import VARIABLE
from atelier.schema import main, schema_of


@pytest.fixture(scope="module")
def schemas(conf: Path) -> dict[str, Any]:
    return {group: jsonschema.Draft7Validator(schema_of(group, conf)) for group in groups(conf)}


def test_every_file_fits_its_schema(schemas: dict[str, Any], conf: Path) -> None:
    checked = 0
    for group, validator in schemas.items():
        for file in (conf / group).rglob("*.yaml"):
            problems = [error.message for error in validator.iter_errors(yaml.safe_load(file.read_text()) or {})]
            assert not problems, f"{file}: {problems}"
            checked += "_target_" in file.read_text()
    assert checked > 50


@pytest.mark.parametrize(
    ("group", "name", "changed"),
    [
        ("network", "mlp", {"hiden": [8]}),
        ("network", "mlp", {"dropout": 2.0}),
        ("network", "mlp", {"hidden": 512}),
        ("task", "classifier", {"mode": "maximum"}),
        ("task", "classifier", {"keep": 3}),
        ("data", "digits", {"batch_size": 0}),
        ("trainer", "auto", {"max_epoch": 3}),
        ("optimizer", "adam", {"lr": "fast"}),
    ],
)
def test_a_wrong_key_or_value_does_not_fit(
    schemas: dict[str, Any], conf: Path, group: str, name: str, changed: dict[str, Any]
) -> None:
    content = yaml.safe_load((conf / group / f"{name}.yaml").read_text())
    assert schemas[group].is_valid(content)
    assert not schemas[group].is_valid({**content, **changed})


@pytest.fixture(autouse=True)
def _this_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")  # so that what is set in the test is taken back


def test_a_project_of_ones_own_has_schemas_of_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "schema_of_mine"
    make_project([str(folder)])
    monkeypatch.setattr(sys, "path", [*sys.path])  # to which its src/ is added
    monkeypatch.setattr("atelier.schema.groups", lambda conf: ["data"])
    monkeypatch.chdir(folder)
    main()
    assert "schema_of_mine.bars.Bars" in (folder / ".schema" / "data.json").read_text()
    assert "-m atelier.schema" in (folder / "Makefile").read_text()


@pytest.mark.parametrize("before", [None, "{}"])
def test_the_editor_is_told_of_the_schemas_and_its_settings_are_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], before: str | None
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.atelier]")
    settings = tmp_path / ".vscode" / "settings.json"
    if before is not None:
        settings.parent.mkdir()
        settings.write_text(before)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("atelier.schema.groups", lambda conf: ["penalty"])
    main()
    told = {"yaml.schemas": {"./.schema/penalty.json": ["conf/penalty/**/*.yaml"]}}
    assert json.loads((tmp_path / ".schema" / "penalty.json").read_text())["allOf"]
    assert json.loads(settings.read_text()) == (told if before is None else {})
    assert ("exists already; what it needs:" in capsys.readouterr().err) is (before is not None)
