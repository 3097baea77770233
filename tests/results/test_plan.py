"""The list of studies to run, conf/results.yaml."""

from pathlib import Path
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.results.plan import read_plan


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("entrys: []", "results.yaml.entrys: no 'entrys'; choose from: entries"),
        ("entries: [{study: tini}]", "study=tini: there is no such study; choose from: tiny"),
        ("entries: [{study: tiny, seed: 0}]", "entries[0].seed: no 'seed'; choose from: seeds, "),
        (
            "entries: [{study: tiny, seeds: 0}]",
            "entries[0].seeds=0: give a list that is not empty, each item a whole number",
        ),
        ("entries: [{study: tiny, seeds: []}]", "entries[0].seeds=[]: give a list that is not empty"),
        ("entries: [{study: tiny, overrides: a=1}]", "entries[0].overrides=a=1: give a list, each item text"),
        ("entries: [{study: tiny, overrides: [a=1]}]", "entries[0].reduced is missing: say what a=1 reduces, and why"),
        ("entries: [{study: tiny, seeds: [-1]}]", "entries[0].seeds=[-1]: give a list that is not empty"),
        (
            "entries: [{study: tiny, seeds: [0], overrides: ['seed=1,2'], reduced: x}]",
            "entries[0].overrides: seed=1,2 would take the place of seeds=[0]; leave one out",
        ),
        ("entries: [{study: tiny}, {study: tiny}]", "entries[1]: tiny stands there twice"),
        ("entries: {", "results.yaml cannot be read"),
    ],
)
def test_what_is_wrong_with_the_list_is_told(project: Any, text: str, told: str) -> None:
    project.write_list(text)
    with pytest.raises(InputError) as error:
        project.parts()
    assert told in str(error.value)


def test_the_projects_own_list_can_be_read(conf: Path, tmp_path: Path) -> None:
    parts = read_plan(conf / "results.yaml", conf, tmp_path)
    assert len({part.folder for part in parts}) == len(parts)
    assert all(part.grid.jobs for part in parts)
    listed = {part.study for part in parts}
    studies = {file.stem: file.read_text() for file in (conf / "study").glob("*.yaml")}
    needs_a_classifier = {name for name, text in studies.items() if "# The scores need a classifier" in text}
    assert listed | needs_a_classifier == studies.keys()
