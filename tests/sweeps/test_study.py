"""A study says only what its schema knows, and a finished sweep is told as its study's file says now."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.arguments import check_complete
from atelier.errors import InputError
from atelier.runs.manifest import Manifest
from atelier.sweeps.study import Study, presentation, written
from atelier.sweeps.sweep import Sweep

CURVES = {"kind": "curves", "metric": "loss"}
BARS = {"kind": "bars", "metric": "val/accuracy"}
SEARCH = {"kind": "search", "logarithmic": []}


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ({"figurs": []}, "study.figurs: no 'figurs'; choose from: figures, "),
        ({"qestion": "Which?"}, "study.qestion: no 'qestion'; choose from: question, "),
        ({"title": ["A"]}, "study.title=['A']: give text or null"),
        ({"grid": ["optimizer"]}, "study.grid=['optimizer']: give a mapping or null"),
        ({"settings": {"a": 1}}, "study.settings={'a': 1}: give a list, each item a mapping or null"),
        ({"figures": CURVES}, "study.figures={'kind': 'curves', 'metric': 'loss'}: give a list"),
        (["a"], "study=['a']: give a mapping with keys of: title, "),
    ],
)
def test_what_a_study_cannot_say_is_refused_with_the_nearest_that_it_can(node: Any, told: str) -> None:
    with pytest.raises(InputError) as error:
        check_complete("study", Study, node)
    assert str(error.value).startswith(told)


def test_every_study_is_as_the_schema_says(conf: Path, study_option: str) -> None:
    assert written(conf, study_option)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("study: {figurs: []}", "study.figurs: no 'figurs'; "),
        ("study:\n  title: [a\n  grid: {}", "line 3: did not find expected "),
        (
            "study:\n  title: a\n\tgrid: {}",
            "line 3: found a tab character that violates indentation; indent with spaces",
        ),
        ("- study", "study=['study']: give a mapping with keys of: title, "),
        ("study: {title: Größe}", "'utf-8' codec can't decode byte "),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_the_file(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "s.yaml").write_text(text, encoding="latin-1")
    with pytest.raises(InputError) as error:
        written(tmp_path, "s")
    assert str(error.value).startswith(f"{tmp_path / 'study' / 's.yaml'}: {told}")
    assert len(str(error.value).splitlines()) == 1


def sweep(stored: dict[str, Any], *command: str) -> Sweep:
    return Sweep(Path(), Manifest(Path(), {"study": "s", "presentation": stored, "command": ["study=s", *command]}))


@pytest.fixture
def conf_now(tmp_path: Path) -> Path:
    """A conf/ whose study has other figures and another title than when the sweep began, and no question any more."""
    (tmp_path / "study").mkdir()
    now = {"title": "now", "figures": [CURVES], "grid": {"optimizer": ["sgd", "adam", "adagrad"]}}
    (tmp_path / "study" / "s.yaml").write_text(yaml.safe_dump({"study": now}))
    return tmp_path


BEGUN = {"title": "then", "question": "Which?", "figures": [BARS], "grid": {"optimizer": ["sgd", "adam"]}}


def test_a_sweep_is_told_as_its_study_says_now_and_ran_what_it_said_then(conf_now: Path) -> None:
    assert presentation(sweep(BEGUN), conf_now) == {"title": "now", "figures": [CURVES], "grid": BEGUN["grid"]}


def test_a_search_keeps_the_figure_of_its_own(conf_now: Path) -> None:
    told = presentation(sweep({**BEGUN, "figures": [SEARCH, BARS]}), conf_now)
    assert told["figures"] == [SEARCH, CURVES]


@pytest.mark.parametrize("command", [(), ("study.title=mine",)])
def test_where_the_file_is_gone_or_the_study_was_typed_a_sweep_is_told_as_then(
    conf_now: Path, command: tuple[str, ...]
) -> None:
    if not command:
        (conf_now / "study" / "s.yaml").unlink()
    assert presentation(sweep(BEGUN, *command), conf_now) == BEGUN
