"""The JSON schemas of conf/: every file of the project fits its own, and a wrong key or value does not."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from atelier.option_files import groups
from atelier.schema import schema_of


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
