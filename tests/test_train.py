"""One training from the command line to its run folder: what the folder holds, and that the same seed repeats it."""

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.nn.utils import parameters_to_vector

from atelier.compose.build import build_task
from atelier.runs.rows import GAPS

Run = Callable[..., Any]
# From the design's contract of run.json.
KEYS = {
    *("status", "experiment", "study", "seed", "overrides", "config_hash", "objective", "test", "parameters"),
    *("epochs", "steps", "seconds", "steps_per_second", "peak_memory_mb", "device", "precision", "versions", "git"),
    "error",
}
TRAIN_STEPS = 27  # of an epoch: 1,728 pictures in batches of 64


def column(metrics: str, name: str) -> list[float]:
    """The values logged under `name`, in order."""
    return [float(row[name]) for row in csv.DictReader(io.StringIO(metrics)) if row.get(name)]


@pytest.fixture(scope="module")
def bare(run_verb: Run, tiny: list[str]) -> Any:
    """The same training as `trained`, without pictures."""
    return run_verb("train", *tiny, "callbacks=none")


# ---------------------------------------------------------------------- the folder


def test_a_run_ends_well_and_says_where_everything_is(trained: Any) -> None:
    assert trained.code == 0
    assert trained.err == ""
    assert str(trained.folder) in trained.out.replace("\n", "")


def test_the_manifest_holds_what_the_contract_names(trained: Any) -> None:
    manifest = trained.manifest
    assert manifest.keys() >= KEYS
    assert manifest["status"] == "completed"
    assert manifest["error"] is None
    assert manifest["objective"].keys() == {"metric", "mode", "best", "best_epoch", "best_step", *GAPS}
    assert manifest["seconds"].keys() == {"setup", "fit", "test"}
    assert manifest["git"].keys() == {"commit", "dirty", "change"}
    lock = (Path(__file__).parents[1] / "requirements.lock").read_bytes()
    assert manifest["versions"]["lock"] == hashlib.sha256(lock).hexdigest()[:12]
    assert manifest["versions"]["torch"] == torch.__version__.split("+")[0]


def test_the_manifest_counts_epochs_steps_and_time(trained: Any) -> None:
    manifest = trained.manifest
    assert manifest["epochs"] == 2
    assert manifest["steps"] == 2 * TRAIN_STEPS
    assert manifest["steps_per_second"] > 0
    assert all(seconds > 0 for seconds in manifest["seconds"].values())
    assert manifest["peak_memory_mb"] > 50
    assert manifest["precision"] == "32-true"
    assert manifest["device"].startswith("cpu")


def test_the_manifests_parameters_are_those_of_the_checkpoint(trained: Any) -> None:
    state = torch.load(trained.folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    count = sum(t.numel() for name, t in state.items() if name.startswith("network.") and not name.endswith(buffers))
    assert trained.manifest["parameters"] == count


def test_the_stored_configuration_is_resolved_and_plain(trained: Any) -> None:
    text = (trained.folder / "config.yaml").read_text()
    assert "${" not in text
    assert "???" not in text
    config = yaml.safe_load(text)
    assert config["network"]["in_shape"] == [1, 32, 32]
    assert config["task"]["network"] == config["network"]
    assert config["paths"]["run"] == str(trained.folder)
    assert config["seed"] == 0


def test_what_the_user_typed_is_kept(trained: Any, tiny: list[str]) -> None:
    assert yaml.safe_load((trained.folder / "overrides.yaml").read_text()) == tiny
    assert trained.manifest["overrides"] == tiny


def test_every_epoch_has_its_metrics_once(trained: Any) -> None:
    names = ("train/loss", "train/common_sense_error", "val/loss", "val/common_sense_error")
    assert {name: len(column(trained.metrics, name)) for name in names} == dict.fromkeys(names, 2)
    rows = list(csv.DictReader(io.StringIO(trained.metrics)))
    assert [int(row["epoch"]) for row in rows if row["val/loss"]] == [0, 1]


def test_the_tests_values_are_in_the_metrics_and_in_the_manifest(trained: Any) -> None:
    test = trained.manifest["test"]
    assert "common_sense_error" in test
    for name, value in test.items():
        assert column(trained.metrics, f"test/{name}") == pytest.approx([value], rel=1e-6)


def test_the_objective_is_the_best_validation(trained: Any) -> None:
    objective, values = trained.manifest["objective"], column(trained.metrics, "val/common_sense_error")
    assert objective["metric"] == "val/common_sense_error"
    assert objective["best"] == pytest.approx(min(values), rel=1e-6)
    assert objective["best_epoch"] == values.index(min(values))


def test_the_objective_is_returned(trained: Any) -> None:
    assert trained.returned == trained.manifest["objective"]["best"]


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_checkpoint_holds_tensors_and_plain_data_only(trained: Any, name: str) -> None:
    content = torch.load(trained.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
    assert_plain(content)
    assert content["config"] == yaml.safe_load((trained.folder / "config.yaml").read_text())


def assert_plain(value: Any, path: str = "checkpoint") -> None:
    if isinstance(value, dict):
        for key, child in value.items():
            assert type(key) in (str, int), path
            assert_plain(child, f"{path}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, child in enumerate(value):
            assert_plain(child, f"{path}[{index}]")
    else:
        assert type(value) in (torch.Tensor, str, int, float, bool, type(None)), f"{path}: {type(value)}"


@pytest.mark.parametrize("name", ["training_pictures", "curves", "best_and_worst"])
def test_the_default_callbacks_draw(trained: Any, name: str, is_drawn: Run) -> None:
    assert is_drawn(trained.folder / "figures" / f"{name}.png")


def test_without_callbacks_nothing_is_drawn(bare: Any) -> None:
    assert list((bare.folder / "figures").iterdir()) == []


def test_the_log_holds_what_was_printed(trained: Any) -> None:
    log = (trained.folder / "run.log").read_text()
    assert trained.out.strip() in log
    assert "\x1b" not in log


def test_nothing_is_left_half_written(trained: Any) -> None:
    hidden = [file for file in trained.folder.rglob("*") if file.suffix == ".part" or file.name.startswith(".")]
    assert hidden == [trained.folder / ".lock"]


# ---------------------------------------------------------------------- seeds and settings


def test_the_same_seed_gives_the_same_metrics(trained: Any, bare: Any) -> None:
    assert bare.metrics == trained.metrics


FAST = ["trainer=cpu", "debug=fast", "callbacks=none"]


@pytest.fixture(scope="module")
def fast(run_verb: Run) -> Any:
    """Six steps on the bundled digits."""
    return run_verb("train", *FAST)


def test_another_seed_gives_other_metrics_for_the_same_setting(run_verb: Run, fast: Any) -> None:
    other = run_verb("train", *FAST, "seed=1")
    assert other.manifest["seed"] == 1
    assert column(other.metrics, "train/loss") != column(fast.metrics, "train/loss")
    assert other.manifest["config_hash"] == fast.manifest["config_hash"]


def test_the_first_weights_follow_from_the_seed(compose: Callable[..., Any]) -> None:
    first, again, other = (parameters_to_vector(build_task(compose(f"seed={n}")).parameters()) for n in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_seed_0_counts(run_verb: Run, fast: Any) -> None:
    given = run_verb("train", *FAST, "seed=0")
    assert given.manifest["seed"] == 0
    assert given.metrics == fast.metrics


def test_another_setting_has_another_hash(run_verb: Run, fast: Any) -> None:
    other = run_verb("train", *FAST, "optimizer.lr=0.002", "trainer.max_epochs=1", "test=false")
    assert other.manifest["config_hash"] != fast.manifest["config_hash"]
    assert other.manifest["test"] == {}


# ---------------------------------------------------------------------- testing alone


def test_a_given_checkpoint_is_tested_without_training(run_verb: Run, tiny: list[str], trained: Any) -> None:
    best = trained.folder / "checkpoints" / "best.ckpt"
    again = run_verb("train", *tiny, "train=false", f"checkpoint={best}", "callbacks=none", "seed=5")
    assert again.code == 0
    assert again.manifest["test"] == trained.manifest["test"]
    assert again.manifest["steps"] == 0
    assert again.manifest["data"] == trained.manifest["data"]
    assert "there is no best.ckpt" not in again.out


def test_the_best_checkpoint_is_the_one_that_is_tested(run_verb: Run, tiny: list[str], tmp_path: Path) -> None:
    """A first epoch that is better than the second: with a wild learning rate in the second, by step size 1."""
    schedule = ["scheduler=step", "scheduler.scheduler.step_size=1", "scheduler.scheduler.gamma=1000"]
    run = run_verb("train", *tiny, *schedule, "trainer.limit_train_batches=9", "task.metric=val/loss", "callbacks=none")
    assert run.manifest["objective"]["best_epoch"] == 0
    tested = {}
    for name in ("best", "last"):
        copy = shutil.copy(run.folder / "checkpoints" / f"{name}.ckpt", tmp_path)
        tested[name] = run_verb("train", *tiny, "train=false", f"checkpoint={copy}", "callbacks=none").manifest["test"]
    assert run.manifest["test"] == tested["best"] != tested["last"]


def test_a_run_that_fails_as_it_concludes_is_not_left_running(
    run_verb: Run, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its training went well; its last word is written all the same."""

    def fail(device: torch.device) -> float:
        raise RuntimeError("no such memory")

    monkeypatch.setattr("atelier.runs.provenance.peak_memory_mb", fail)
    short = ["callbacks=none", "test=false", "trainer.limit_train_batches=1", "trainer.limit_val_batches=1"]
    with pytest.raises(RuntimeError, match="no such memory"):
        run_verb("train", *tiny, *short, logs=tmp_path)
    (folder,) = tmp_path.glob("runs/*/*/")
    manifest = json.loads((folder / "run.json").read_text())
    assert (manifest["status"], manifest["error"]["message"]) == ("failed", "no such memory")
    assert "RuntimeError: no such memory" in (folder / "run.log").read_text()
