"""Settings over seeds, against numbers computed by hand."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.errors import InputError
from atelier.report.notes import cautions
from atelier.runs.folder import claim
from atelier.sweeps.aggregate import Results, aggregate

NAN = float("nan")


def write_run(folder: Path, typed: str, seed: int, best: float | None, setting: str | None = None, **more: Any) -> Path:
    """A run with the overrides `typed`; its `config_hash` is `setting`, or what was typed."""
    folder.mkdir(parents=True)
    manifest = {
        "status": "completed",
        "experiment": "default",
        "seed": seed,
        "overrides": [*typed.split(), f"seed={seed}"],
        "config_hash": setting or typed,
        "objective": {"metric": "val/loss", "mode": "min", "best": best, "best_epoch": 0},
        "test": {"loss": None if best is None else 2 * best},
        "parameters": 100,
        "seconds": {"setup": 0.0, "fit": 10.0 + seed, "test": 0.0},
        **more,
    }
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


def write_sweep(folder: Path, swept: list[str], jobs: list[dict[str, Any]], **more: Any) -> Path:
    content = {"study": None, "experiment": "default", "status": "completed", "swept": swept, "jobs": jobs, **more}
    (folder / "sweep.json").write_text(json.dumps(content))
    return folder


def job(number: int, values: dict[str, str], seed: int = 0) -> dict[str, Any]:
    typed = [f"{key}={value}" for key, value in values.items()]
    overrides = [*typed, f"seed={seed}"]
    return {"number": number, "overrides": overrides, "values": values, "seed": seed, "config_hash": " ".join(typed)}


def table(results: Results) -> list[tuple[dict[str, str | None], float | None, float | None, int]]:
    return [(s.values, s.objective.mean, s.objective.std, s.objective.n) for s in results.settings]


# ---------------------------------------------------------------------- numbers


def test_mean_and_deviation_over_seeds_are_those_computed_by_hand(tmp_path: Path) -> None:
    for seed, best in enumerate([1.0, 2.0, 6.0]):
        write_run(tmp_path / str(seed), "optimizer=sgd", seed, best)
    (setting,) = aggregate([tmp_path]).settings
    # mean 9/3; deviations -2, -1, 3: squares 4 + 1 + 9 = 14, over 3 - 1
    assert (setting.objective.mean, setting.objective.std, setting.objective.n) == (3.0, pytest.approx(7**0.5), 3)
    assert (setting.test["loss"].mean, setting.test["loss"].std) == (6.0, pytest.approx(2 * 7**0.5))
    assert (setting.seconds.mean, setting.seconds.std) == (11.0, 1.0)
    assert (setting.parameters.mean, setting.parameters.std) == (100.0, 0.0)


def test_one_run_has_no_deviation(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "optimizer=sgd", 0, 1.5)
    (setting,) = aggregate([tmp_path]).settings
    assert (setting.objective.mean, setting.objective.std, setting.objective.n) == (1.5, None, 1)


@pytest.mark.parametrize(("mode", "order"), [("min", ["a", "b", "c"]), ("max", ["b", "a", "c"])])
def test_the_best_comes_first_and_what_has_no_value_last(tmp_path: Path, mode: str, order: list[str]) -> None:
    for name, best in (("c", None), ("b", 2.0), ("a", 1.0)):
        objective = {"metric": "val/loss", "mode": mode, "best": best, "best_epoch": None}
        write_run(tmp_path / name, f"optimizer={name}", 0, best, objective=objective)
    results = aggregate([tmp_path])
    assert [setting.values["optimizer"] for setting in results.settings] == order
    assert (results.metric, results.mode) == ("val/loss", mode)


@pytest.mark.parametrize(
    ("mode", "lost", "status"),
    [("min", NAN, "completed"), ("max", NAN, "completed"), ("min", None, "failed"), ("max", math.inf, "completed")],
)
def test_a_setting_that_lost_a_seed_comes_after_the_complete_ones(
    tmp_path: Path, mode: str, lost: float | None, status: str
) -> None:
    """`lucky` would be the best of all by the seed that it has left."""
    good, fair, bad = (1.0, 2.0, 3.0) if mode == "min" else (3.0, 2.0, 1.0)
    for name, values in {"lucky": (good, lost), "whole": (fair, fair), "poor": (bad, bad), "none": (lost,)}.items():
        for seed, best in enumerate(values):
            objective = {"metric": "val/loss", "mode": mode, "best": best, "best_epoch": 0}
            more = {"status": status} if best is lost else {}
            write_run(tmp_path / f"{name}_{seed}", f"optimizer={name}", seed, best, objective=objective, **more)
    settings = aggregate([tmp_path]).settings
    assert [setting.values["optimizer"] for setting in settings] == ["whole", "poor", "lucky", "none"]
    assert [setting.complete for setting in settings] == [True, True, False, False]


def test_missing_values_and_nan_are_left_out(tmp_path: Path) -> None:
    for seed, best in enumerate([1.0, NAN, None, math.inf, 3.0]):
        write_run(tmp_path / str(seed), "optimizer=sgd", seed, best)
    write_run(tmp_path / "bare", "optimizer=sgd", 9, None, test={}, seconds=None, parameters=None, objective=None)
    (setting,) = aggregate([tmp_path]).settings
    assert (setting.objective.mean, setting.objective.std, setting.objective.n) == (2.0, pytest.approx(2**0.5), 2)
    assert len(setting.completed) == 6
    assert setting.test["loss"].n == 2
    assert setting.seconds.n == 5


def test_only_completed_runs_count(tmp_path: Path) -> None:
    for number, status in enumerate(("completed", "completed", "failed", "interrupted", "running")):
        write_run(tmp_path / str(number), "optimizer=sgd", number, number + 1.0, status=status)
    with claim(tmp_path / str(number)):  # the process of a run that goes on
        (setting,) = aggregate([tmp_path]).settings
    assert (setting.objective.mean, setting.objective.n, setting.parameters.n) == (1.5, 2, 5)
    assert setting.counts == {"completed": 2, "failed": 1, "interrupted": 1, "running": 1}
    (setting,) = aggregate([tmp_path]).settings
    assert setting.counts == {"completed": 2, "failed": 1, "interrupted": 2}, "its process was killed"


def test_a_value_of_another_objective_is_in_no_mean(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "optimizer=sgd", 0, 1.0)
    other = {"metric": "val/accuracy", "mode": "max", "best": 0.5, "best_epoch": 0}
    write_run(tmp_path / "1", "optimizer=adam", 0, None, objective=other)
    results = aggregate([tmp_path])
    assert (results.metric, [setting.objective.n for setting in results.settings]) == ("val/loss", [1, 0])


# ---------------------------------------------------------------------- what is one setting


def test_runs_are_grouped_by_their_hash_wherever_they_lie(tmp_path: Path) -> None:
    write_run(tmp_path / "one/0", "optimizer.lr=0.01", 0, 1.0, setting="same")
    write_run(tmp_path / "two/anything", "optimizer.lr=1e-2", 1, 3.0, setting="same")
    write_run(tmp_path / "two/0", "optimizer.lr=0.01", 0, 9.0, setting="other")
    results = aggregate([tmp_path / "one", tmp_path / "two"])
    assert [(s.config_hash, s.objective.mean, s.objective.n) for s in results.settings] == [
        ("same", 2.0, 2),
        ("other", 9.0, 1),
    ]


def test_renaming_folders_changes_nothing(tmp_path: Path) -> None:
    for seed in range(2):
        for lr in ("0.1", "0.2"):
            write_run(tmp_path / "a" / f"{lr}_{seed}", f"optimizer.lr={lr}", seed, float(lr) + seed)
    before = table(aggregate([tmp_path / "a"]))
    for number, run in enumerate(sorted((tmp_path / "a").iterdir(), reverse=True)):
        shutil.move(run, tmp_path / "b" / f"x{number * 7 % 4}")
    assert table(aggregate([tmp_path / "b"])) == before


def test_a_run_without_a_hash_goes_by_what_was_typed(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path / str(seed), "optimizer=sgd", seed, None, config_hash=None, status="failed")
    write_run(tmp_path / "2", "optimizer=adam", 0, None, config_hash=None, status="failed")
    assert sorted(len(setting.records) for setting in aggregate([tmp_path]).settings) == [1, 2]


def test_a_test_of_a_runs_weights_is_no_repeat_of_it(tmp_path: Path) -> None:
    """It completes without an objective, and what it tests has been tested."""
    for seed in range(2):
        write_run(tmp_path / "runs" / str(seed), "optimizer=sgd", seed, 1.0 + seed)
    tested = "train=false checkpoint=runs/0/best.ckpt"
    write_run(tmp_path / "tests/0", f"optimizer=sgd {tested}", 0, None, setting="optimizer=sgd", test={"loss": 2.0})
    results = aggregate([tmp_path])
    (setting,) = results.settings
    assert (setting.complete, setting.objective.n, setting.test["loss"].n, results.keys) == (True, 2, 2, [])
    assert len(results.records) == 3
    assert any(told.startswith("1 test of a trained run's weights") for told in cautions(results))
    (alone,) = aggregate([tmp_path / "tests"]).settings
    assert alone.test["loss"].mean == 2.0


# ---------------------------------------------------------------------- what varies


def test_the_keys_are_those_whose_values_differ(tmp_path: Path) -> None:
    same = "experiment=x trainer=cpu"
    write_run(tmp_path / "0", f"{same} optimizer=sgd paths.logs=a logger=csv hydra/launcher=local", 0, 1.0)
    write_run(tmp_path / "1", f"{same} optimizer=adam paths.logs=b logger=wandb hydra/launcher=slurm", 1, 2.0)
    results = aggregate([tmp_path])
    assert results.keys == ["optimizer"]
    assert [setting.values for setting in results.settings] == [{"optimizer": "sgd"}, {"optimizer": "adam"}]


def test_one_value_typed_in_two_ways_and_what_makes_no_setting_are_no_keys(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "optimizer=sgd optimizer.lr=1e-1 network.hidden=[8,4] data.augment=True", 0, 1.0)
    other = "optimizer=adam optimizer.lr=0.1 data.augment=true data.eval_batch_size=9 trainer.profiler=simple"
    run = write_run(tmp_path / "1", other, 1, 2.0)
    (run / "config.yaml").write_text("network: {hidden: [8, 4]}")
    assert aggregate([tmp_path]).keys == ["optimizer"]


def test_a_key_that_was_not_typed_is_read_from_the_configuration(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "optimizer.lr=0.1", 0, 1.0)
    other = write_run(tmp_path / "1", "", 0, 2.0)
    (other / "config.yaml").write_text(yaml.safe_dump({"optimizer": {"lr": 0.003}}))
    results = aggregate([tmp_path])
    assert [setting.values for setting in results.settings] == [{"optimizer.lr": "0.1"}, {"optimizer.lr": "0.003"}]


def test_a_key_that_a_sweep_leaves_unset_in_a_job_is_read_from_the_configuration(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "optimizer.lr=0.1", 0, 1.0)
    (write_run(tmp_path / "1", "", 0, 2.0) / "config.yaml").write_text("optimizer: {lr: 0.003}")
    write_run(tmp_path / "2", "", 1, 3.0, setting="third")
    jobs = [job(0, {"optimizer.lr": "0.1"}), job(1, {"optimizer.lr": ""}), job(2, {"optimizer.lr": ""})]
    results = aggregate([write_sweep(tmp_path, ["optimizer.lr"], jobs)])
    assert [setting.values["optimizer.lr"] for setting in results.settings] == ["0.1", "0.003", None]


def test_added_and_forced_keys_lose_their_signs(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "+task.turns=true", 0, 1.0)
    write_run(tmp_path / "1", "++task.turns=false", 0, 2.0)
    assert aggregate([tmp_path]).keys == ["task.turns"]


def test_a_sweep_tells_its_keys_and_their_order(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    for number, (a, b) in enumerate([("1", "x"), ("2", "y")]):
        write_run(sweep / str(number), f"a.a={a} b.b={b} c.c={a}", 0, float(number))
    jobs = [job(0, {"b.b": "x", "a.a": "1"}), job(1, {"b.b": "y", "a.a": "2"})]
    results = aggregate([write_sweep(sweep, ["b.b", "a.a"], jobs)])
    assert results.keys == ["b.b", "a.a"]
    assert results.settings[0].values == {"b.b": "x", "a.a": "1"}
    third = write_run(tmp_path / "third", "a.a=3 b.b=x c.c=1", 0, 9.0)
    assert aggregate([sweep, third]).keys == ["a.a", "b.b", "c.c"], "not all are of the sweep"
    third.rename(sweep / "2")
    write_sweep(sweep, ["b.b"], [*jobs, job(2, {"b.b": "x"})])
    assert aggregate([sweep]).keys == ["b.b", "a.a", "c.c"], "its own do not tell the settings apart"


def test_two_sweeps_have_the_keys_in_which_their_runs_differ(tmp_path: Path) -> None:
    for name, optimizer in (("one", "sgd"), ("two", "adam")):
        for number, lr in enumerate(["0.1", "0.2"]):
            write_run(tmp_path / name / str(number), f"optimizer={optimizer} optimizer.lr={lr}", 0, float(lr))
        jobs = [job(number, {"optimizer.lr": lr}) for number, lr in enumerate(["0.1", "0.2"])]
        write_sweep(tmp_path / name, ["optimizer.lr"], jobs)
    results = aggregate([tmp_path / "one", tmp_path / "two"])
    assert results.keys == ["optimizer", "optimizer.lr"]
    assert len(results.settings) == 4


@pytest.mark.parametrize(
    ("one", "other"),
    [("trainer=cpu callbacks=none", "+callbacks=weight_norms"), ("trainer=cpu", "trainer=gpu"), ("a.b=1", "a.b=2")],
)
def test_what_differs_inside_of_a_setting_is_no_key(tmp_path: Path, one: str, other: str) -> None:
    for name, typed in {"adam": (one, other), "rprop": (one,), "sgd": (one, other)}.items():
        for seed, more in enumerate(typed):
            write_run(tmp_path / f"{name}{seed}", f"optimizer={name} {more}", seed, 1.0, setting=name)
    found = [setting.values for setting in aggregate([tmp_path]).settings]
    assert found == [{"optimizer": "adam"}, {"optimizer": "rprop"}, {"optimizer": "sgd"}]


# ---------------------------------------------------------------------- unfinished and broken


def test_a_job_that_has_not_begun_is_waiting(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "optimizer=sgd", 0, 1.0)
    jobs = [job(0, {"optimizer": "sgd"}), job(1, {"optimizer": "sgd"}, seed=1), job(2, {"optimizer": "adam"})]
    objective = {"metric": "val/loss", "mode": "min"}
    results = aggregate([write_sweep(tmp_path, ["optimizer"], jobs, status="running", objective=objective)])
    assert [(setting.values["optimizer"], setting.counts) for setting in results.settings] == [
        ("sgd", {"completed": 1, "waiting": 1}),
        ("adam", {"waiting": 1}),
    ]


def test_a_manifest_that_cannot_be_read_is_a_failed_run_among_the_others(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "optimizer=sgd", 0, 1.0)
    (write_run(tmp_path / "1", "optimizer=sgd", 1, 2.0) / "run.json").write_text('{"status": "comp')
    jobs = [job(0, {"optimizer": "sgd"}), job(1, {"optimizer": "sgd"}, seed=1)]
    (setting,) = aggregate([write_sweep(tmp_path, ["optimizer"], jobs)]).settings
    assert setting.counts == {"completed": 1, "failed": 1}
    assert setting.objective.mean == 1.0


def test_a_folder_given_twice_counts_once(tmp_path: Path) -> None:
    write_run(tmp_path / "runs/0", "optimizer=sgd", 0, 1.0)
    (link := tmp_path / "link").symlink_to(tmp_path / "runs/0")
    assert len(aggregate([tmp_path, tmp_path / "runs", tmp_path / "runs/0", link]).records) == 1
    write_sweep(tmp_path / "runs", ["optimizer"], [job(0, {"optimizer": "sgd"})])
    assert len(aggregate([tmp_path / "runs", tmp_path / "runs/0"]).records) == 1, "a job of the sweep"


@pytest.mark.parametrize(
    ("name", "told"), [("nowhere", "there is no such folder"), ("empty", "no run (run.json) and no sweep")]
)
def test_a_folder_without_runs_is_told(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"sweep={tmp_path / name}: ") as error:
        aggregate([tmp_path / name])
    assert told in str(error.value)
