"""Two stages: the jobs of a sweep take the values that an earlier one found best over its seeds, folds and draws."""

import json
from pathlib import Path

import pytest

from atelier.errors import InputError
from atelier.report.notes import caption, cautions
from atelier.runs.overrides import key_of, value_of
from atelier.sweeps.aggregate import aggregate
from atelier.sweeps.grid import Grid, expand
from atelier.sweeps.settings_from import with_settings_from
from atelier.sweeps.sweep import Job

RESULTS = {  # (network, lr): the objective in each of two folds
    ("a", "0.1"): (0.5, 0.9),
    ("a", "0.2"): (0.8, 0.8),
    ("b", "0.1"): (0.7, 0.7),
    ("b", "0.2"): (0.6, 0.2),
}


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A finished sweep with `RESULTS`, as its files tell of it."""
    return write_sweep(tmp_path / "earlier", RESULTS)


def write_sweep(folder: Path, results: dict[tuple[str, str], tuple[float | None, ...]]) -> Path:
    jobs = []
    for (network, lr), folds in results.items():
        for fold, best in enumerate(folds):
            overrides = [f"network={network}", f"optimizer.lr={lr}", f"data.fold={fold}"]
            values = {"network": network, "optimizer.lr": lr}
            jobs.append({"number": len(jobs), "overrides": overrides, "values": values, "facts": {}})
            objective = {"metric": "val/accuracy", "mode": "max", "best": best, "best_epoch": 0}
            manifest = {"status": "failed" if best is None else "completed", "objective": objective, "seed": 0}
            manifest |= {"overrides": overrides, "config_hash": f"{network}{lr}", "seconds": {"fit": 1.0}}
            path = folder / str(jobs[-1]["number"])
            path.mkdir(parents=True)
            (path / "run.json").write_text(json.dumps(manifest))
    (folder / "sweep.json").write_text(json.dumps({"swept": ["network", "optimizer.lr"], "jobs": jobs}))
    return folder


def jobs(folder: Path, *overrides: str) -> list[str]:
    grid = with_settings_from(folder, expand(overrides)[0])
    return [" ".join(job) for job in grid.jobs]


def test_a_job_takes_what_is_best_in_the_mean_over_folds(earlier: Path) -> None:
    assert jobs(earlier, "seed=0,1") == ["seed=0 network=a optimizer.lr=0.2", "seed=1 network=a optimizer.lr=0.2"]


def test_what_a_job_sets_itself_says_which_settings_are_meant(earlier: Path) -> None:
    assert jobs(earlier, "network=a,b") == ["network=a optimizer.lr=0.2", "network=b optimizer.lr=0.1"]
    assert jobs(earlier, "optimizer.lr=0.1", "seed=0,1")[0] == "optimizer.lr=0.1 seed=0 network=a"


def test_what_was_taken_over_varies_with_the_rest(earlier: Path) -> None:
    grid = with_settings_from(earlier, expand(["network=a,b"])[0])
    assert grid.swept == ["network", "optimizer.lr"]
    assert grid.values[1] == {"network": "b", "optimizer.lr": "0.1"}


@pytest.mark.parametrize(
    ("best", "others", "taken"),
    [
        # {} is a base: null is what the job composes to for a key that is there, and a key that others add is not there
        ([], ["trainer.gradient_clip_val=1"], ["trainer.gradient_clip_val=null"]),
        ([], ["+optimizer.nesterov=true"], []),
        ([], ["mixing=mixup"], []),
        ([], ["+activation@network.output=tanh"], []),
        (["+optimizer.nesterov=true"], [], ["+optimizer.nesterov=true"]),
        (["+activation@network.output=tanh"], [], ["+activation@network.output=tanh"]),
        (["~encoding"], ["encoding=angles"], ["~encoding"]),
        (["trainer.gradient_clip_val=null"], ["trainer.gradient_clip_val=1"], ["trainer.gradient_clip_val=null"]),
    ],
)
def test_the_best_is_taken_as_it_was_typed_or_left_out(
    tmp_path: Path, best: list[str], others: list[str], taken: list[str]
) -> None:
    (key,) = {key_of(one) for one in (*best, *others)}
    entries = []
    for number, (overrides, value) in enumerate([(best, 0.9), (others, 0.5)]):
        known = value_of(overrides[0]) if overrides else ""  # as the preflight tells of null, and of no such key
        entries.append({"number": number, "overrides": overrides, "values": {key: known}, "facts": {}})
        objective = {"metric": "val/accuracy", "mode": "max", "best": value, "best_epoch": 0}
        manifest = {"status": "completed", "objective": objective, "seed": 0, "overrides": overrides}
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "run.json").write_text(json.dumps({**manifest, "config_hash": str(number)}))
    (tmp_path / "sweep.json").write_text(json.dumps({"swept": [key], "jobs": entries}))
    assert with_settings_from(tmp_path, Grid([["seed=5"]])).jobs == [["seed=5", *taken]]


def test_several_sweeps_in_one_folder_are_one(tmp_path: Path) -> None:
    write_sweep(tmp_path / "both" / "one", {key: value for key, value in RESULTS.items() if key[0] == "a"})
    write_sweep(tmp_path / "both" / "two", {key: value for key, value in RESULTS.items() if key[0] == "b"})
    assert jobs(tmp_path / "both", "network=a,b") == ["network=a optimizer.lr=0.2", "network=b optimizer.lr=0.1"]


@pytest.mark.parametrize("key", ["study", "experiment", "config_hash"])
def test_what_only_names_the_earlier_runs_is_not_taken(tmp_path: Path, key: str) -> None:
    """A job is of its own study, and a hash is no key of a configuration."""
    for name in ("one", "two"):
        folder = write_sweep(tmp_path / "both" / name, {("a", "0.1"): (0.5,), ("a", "0.2"): (0.4,)})
        for path in folder.glob("*/run.json"):
            manifest = json.loads(path.read_text())
            manifest |= {"config_hash": f"{name} {manifest['config_hash']}"}
            manifest["overrides"] += [f"{key}={name}"] * (key == "study")
            path.write_text(json.dumps(manifest | ({} if key == "config_hash" else {key: name})))
    assert aggregate([tmp_path / "both"]).keys == [key, "optimizer.lr"]
    assert jobs(tmp_path / "both", "seed=1,2") == ["seed=1 optimizer.lr=0.1", "seed=2 optimizer.lr=0.1"]
    assert jobs(tmp_path / "both", "study=third") == ["study=third optimizer.lr=0.1"]


def test_a_setting_that_lacks_a_run_does_not_count(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", {**RESULTS, ("a", "0.2"): (0.99, None)})
    assert jobs(folder, "network=a") == ["network=a optimizer.lr=0.1"]


@pytest.mark.parametrize(
    ("typed", "earlier_value"), [("1e-1", "0.1"), ("0.10", "0.1"), ("True", "true"), ("[8,4]", "[8, 4]"), ("'a'", "a")]
)
def test_values_are_compared_and_not_how_they_were_typed(tmp_path: Path, typed: str, earlier_value: str) -> None:
    results: dict[tuple[str, str], tuple[float | None, ...]] = {("a", earlier_value): (0.5,), ("b", "other"): (0.9,)}
    folder = write_sweep(tmp_path / "earlier", results)
    grid = with_settings_from(folder, Grid([[f"optimizer.lr={typed}"]]))
    assert grid.jobs == [[f"optimizer.lr={typed}", "network=a"]]


@pytest.mark.parametrize(("typed", "earlier_value"), [("1", "true"), ("1", "1.5"), ("a", "A")])
def test_other_values_are_not_taken_for_the_same(tmp_path: Path, typed: str, earlier_value: str) -> None:
    folder = write_sweep(tmp_path / "earlier", {("a", earlier_value): (0.5,), ("b", "other"): (0.9,)})
    with pytest.raises(InputError, match=r"no setting there is complete with optimizer\.lr="):
        with_settings_from(folder, Grid([[f"optimizer.lr={typed}"]]))


def test_values_that_the_earlier_sweep_does_not_have_are_refused(earlier: Path) -> None:
    with pytest.raises(InputError, match=r"settings_from=.*: no setting there is complete with network=c"):
        jobs(earlier, "network=a,c")


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run"):
        with_settings_from(tmp_path, Grid([["seed=0"]]))


# ---------------------------------------------------------------------- seeds, folds and draws


@pytest.mark.parametrize("key", ["seed", "data.fold", "data.draw"])
def test_seeds_folds_and_draws_make_no_settings_of_their_own(key: str) -> None:
    grid, _ = expand(["optimizer.lr=0.1,0.2", f"{key}=0,1,2"])
    assert len(grid.jobs) == 6
    assert grid.swept == ["optimizer.lr"]


def test_folds_are_one_row_with_their_mean(earlier: Path) -> None:
    results = aggregate([earlier])
    means = {(s.values["network"], s.values["optimizer.lr"]): s.objective.mean for s in results.settings}
    assert means == {key: pytest.approx(sum(folds) / 2) for key, folds in RESULTS.items()}


def test_the_caption_tells_of_the_folds_and_takes_them_for_no_repetition(earlier: Path) -> None:
    results = aggregate([earlier])
    assert caption(results) == (
        "4 settings, 8 runs; seed 0; folds 0, 1. Mean ± standard deviation over folds (number of runs)."
    )
    assert cautions(results) == ["2 runs of a setting: differences may be chance; three or more tell more."]


def test_a_job_is_named_by_its_fold() -> None:
    job = Job(0, ["optimizer.lr=0.1", "data.fold=2", "seed=1"], {"optimizer.lr": "0.1"}, {"seed": 1})
    assert job.name == "optimizer.lr=0.1 data.fold=2 seed=1"
