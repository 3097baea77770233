"""What the claims of the studies compare: all that the report names, and what the study's runs measure."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.runs.folder import LOADER

CONF = Path(__file__).parents[1] / "conf"
STUDIES = {path.stem: yaml.load(path.read_text(), LOADER) for path in sorted((CONF / "study").glob("*.yaml"))}
Check = dict[str, Any]


def checks(name: str) -> Iterator[Check]:
    for claim in STUDIES[name]["study"].get("claims", ()):
        yield from claim.get("checks", ())


def measured(name: str) -> Iterator[tuple[str, str, Any]]:
    """(study, metric, place) of both sides of all checks."""
    for check in checks(name):
        yield name, check["metric"], check.get("at")
        if "than" in check or "than_metric" in check or "than_at" in check:
            metric, place = check.get("than_metric", check["metric"]), check.get("than_at", check.get("at"))
            yield check.get("than_study", name), metric, place


def callbacks(name: str) -> list[str]:
    """Those that a study chooses."""
    chosen = {key: value for one in STUDIES[name]["defaults"] if isinstance(one, dict) for key, value in one.items()}
    return list(chosen.get("override /callbacks", ()))


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_measures_what_its_claims_compare(name: str) -> None:
    for study, metric, place in measured(name):
        if metric.startswith("test/") and place is not None:
            assert "watch_test" in callbacks(study), f"{study}: {metric} over the training"
        if metric == "train/weight_norm":
            assert "weight_norms" in callbacks(study)
        if metric.endswith("_softmax/100"):
            assert "dropout_schemes" in callbacks(study)


def test_training_is_measured_without_dropout_where_a_claim_compares_it_so(compose: Any) -> None:
    for name in STUDIES:
        clean = {study for study, metric, _ in measured(name) if metric.startswith(("train/clean_", "generalisation_"))}
        for study in clean:
            assert compose(f"study={study}").task.clean_train_accuracy


def test_the_masks_that_a_claim_compares_are_drawn() -> None:
    drawn = yaml.safe_load((CONF / "callbacks" / "dropout_schemes.yaml").read_text())["dropout_schemes"]["masks"]
    compared = {metric.rpartition("/")[2] for _, metric, _ in measured("ift6135_dropout") if "_softmax/" in metric}
    assert compared == {str(drawn[0]), str(drawn[-1])}


def test_the_best_network_for_dogs_and_cats_is_compared_with_every_other() -> None:
    grid = STUDIES["ift6135_dogs_vs_cats"]["study"]["grid"]
    settings = [{"network": n, "data.batch_size": b} for n in grid["network"] for b in grid["data.batch_size"]]
    best, *_ = (check["of"] for check in checks("ift6135_dogs_vs_cats"))
    others = [check["than"] for check in checks("ift6135_dogs_vs_cats") if "than" in check]
    assert len(others) == len(settings) - 1
    assert all(one in others for one in settings if one != best)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_elec576s_table_is_claimed_cell_by_cell_as_its_figures_draw_it(cell: str) -> None:
    study = STUDIES[f"elec576_{cell}"]["study"]
    for split in ("test", "train"):
        (drawn,) = (one["reported"] for one in study["figures"] if one["metric"] == f"{split}/accuracy")
        claimed = {
            check["of"]["network.hidden"]: check["near"]
            for check in checks(f"elec576_{cell}")
            if check["metric"] == f"{split}/accuracy" and "near" in check
        }
        assert claimed == drawn


def test_ee559s_table_is_claimed_cell_by_cell() -> None:
    grid = STUDIES["ee559_pairs"]["study"]["grid"]
    keys = [key for key in grid if key != "seed"]
    cells = [tuple(check["of"][key] for key in keys) for check in checks("ee559_pairs") if "near" in check]
    assert len(cells) == len(set(cells)) == len(grid["network"]) * len(grid["network.weight_sharing"]) * 2
