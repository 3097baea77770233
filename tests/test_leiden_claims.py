"""The claims of the Leiden report: all of its figures and its table are asked, each under the recipe it is about."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.results.studies import composed_settings, read_study
from atelier.runs.folder import LOADER
from atelier.sweeps.grid import has

STUDIES: dict[str, dict[str, Any]] = {
    path.stem: yaml.load(path.read_text(), LOADER)["study"]
    for path in sorted((Path(__file__).parents[1] / "conf" / "study").glob("*.yaml"))
}
LEIDEN = [name for name in STUDIES if name.startswith("leiden_")]


def studies_about(part: str) -> list[str]:
    return [name for name in LEIDEN if part in {claim["where"] for claim in STUDIES[name]["claims"]}]


@pytest.mark.parametrize("part", [*(f"figure {number}" for number in range(1, 15)), "table 1"])
def test_what_the_report_shows_is_asked_by_one_study(part: str) -> None:
    assert len(studies_about(part)) == 1


@pytest.mark.parametrize("name", LEIDEN)
def test_no_words_of_the_report_stand_twice(name: str) -> None:
    others = [" ".join(claim["says"].split()) for one in LEIDEN for claim in STUDIES[one]["claims"]]
    for claim in STUDIES[name]["claims"]:
        assert others.count(" ".join(claim["says"].split())) == 1


@pytest.mark.parametrize(
    ("name", "ours"), [*((name, False) for name in LEIDEN), ("clock_encodings", True), ("clock_intervals", True)]
)
def test_under_our_recipe_the_claims_are_ours_and_not_the_reports(name: str, ours: bool) -> None:
    assert {claim["where"] == "ours" for claim in STUDIES[name]["claims"]} == {ours}


@pytest.mark.parametrize("name", STUDIES)
def test_a_figure_names_only_settings_that_its_study_has(conf: Path, name: str) -> None:
    ofs = [figure.get("of", []) for figure in STUDIES[name]["figures"]]
    wanted = [values for of in ofs for values in ([of] if isinstance(of, dict) else of)]
    settings = composed_settings(
        read_study(conf, name), conf, dict.fromkeys(key for values in wanted for key in values)
    )
    for values in wanted:
        assert any(has(setting, values) for setting in settings), values
