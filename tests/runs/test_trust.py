"""Links in the folder of a run or a sweep."""

from pathlib import Path

import pytest

from atelier.errors import InputError
from atelier.runs.trust import check_files, check_overrides


def test_a_link_within_a_folder_is_left_alone(tmp_path: Path) -> None:
    """As those of Optuna's lock, which leads to its journal, of W&B and of submitit."""
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "latest-run").symlink_to("run-1")
    (tmp_path / "search.journal.lock").symlink_to("search.journal")
    check_files(tmp_path)


@pytest.mark.parametrize("job", ["", "0"])
def test_what_a_run_of_wandb_links_to_is_left_alone_and_what_stands_beside_it_is_not(tmp_path: Path, job: str) -> None:
    beside = tmp_path / "run" / job / "wandb"
    (beside / "offline-run-1" / "logs").mkdir(parents=True)
    (beside / "offline-run-1" / "logs" / "debug-core.log").symlink_to(tmp_path / "cache.log")
    check_files(tmp_path / "run")
    (beside / "offline-run-2").symlink_to(tmp_path)
    with pytest.raises(InputError, match="offline-run-2 is a link"):
        check_files(tmp_path / "run")


def test_a_folder_that_is_called_wandb_is_checked_as_others_are(tmp_path: Path) -> None:
    (tmp_path / "wandb" / "0").mkdir(parents=True)
    (tmp_path / "wandb" / "0" / "metrics.csv").symlink_to(tmp_path / "metrics.csv")
    with pytest.raises(InputError, match="is a link"):
        check_files(tmp_path / "wandb")


@pytest.mark.parametrize("target", ["circle", "..", "/tmp", "0/../../x"])
def test_a_link_that_leads_out_or_round_is_told(tmp_path: Path, target: str) -> None:
    (tmp_path / "circle").symlink_to(target)
    with pytest.raises(InputError, match="is a link"):
        check_files(tmp_path)


@pytest.mark.parametrize("override", ["+logger.wandb.my-key=1", "network@my-network=mlp"])
def test_a_key_with_a_hyphen_sets_a_value(override: str, tmp_path: Path) -> None:
    check_overrides([override], tmp_path)


@pytest.mark.parametrize(
    "override", ["--config-dir=/x", "a\nb=1", "note='x\n${oc.env:HOME}'", "hydra.run.dir=/x", "-cd=/x"]
)
def test_what_could_do_more_than_set_a_value_is_refused(override: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="could do more than set a value"):
        check_overrides([override], tmp_path)
