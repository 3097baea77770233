"""A command line and a study make jobs: which, in what order, and what of them varies."""

import re
from collections.abc import Callable
from pathlib import Path

import hydra
import pytest

from atelier.errors import InputError
from atelier.sweeps.grid import differences, expand, parse, parsed
from atelier.sweeps.search_space import Space

STUDY = {
    "grid": {"encoding": ["regression", "angles"], "seed": [0, 1]},
    "quick": {"seed": 0, "trainer.max_epochs": 2},
}


def jobs(*arguments: str, study: dict[str, object] | None = None, budget: str = "full") -> list[str]:
    return [" ".join(job) for job in expand(arguments, study, budget)[0].jobs]


def test_every_combination_the_first_key_outermost() -> None:
    assert jobs("optimizer=sgd,adam", "seed=0,1") == [
        "optimizer=sgd seed=0",
        "optimizer=sgd seed=1",
        "optimizer=adam seed=0",
        "optimizer=adam seed=1",
    ]


@pytest.mark.parametrize("values", ["0,1,2", "range(0,3)", "choice(0,1,2)"])
def test_all_that_hydra_sweeps_over(values: str) -> None:
    assert jobs(f"seed={values}") == ["seed=0", "seed=1", "seed=2"]


def test_a_list_is_one_value() -> None:
    assert jobs("network.hidden=[10,20]") == ["network.hidden=[10,20]"]
    assert jobs("network.hidden=[10,20],[30]") == ["network.hidden=[10,20]", "network.hidden=[30]"]


def test_what_varies_is_told_without_the_seed() -> None:
    grid, _ = expand(["trainer=cpu", "optimizer=sgd,adam", "optimizer.lr=0.1,0.2", "seed=0,1"])
    assert grid.swept == ["optimizer", "optimizer.lr"]
    assert grid.values[2] == {"optimizer": "sgd", "optimizer.lr": "0.2"}


def test_added_and_removed_keys_go_through() -> None:
    assert jobs("~encoding", "+data.extra=1,2") == ["~encoding +data.extra=1", "~encoding +data.extra=2"]
    assert expand(["+data.extra=1,2"])[0].swept == ["data.extra"]


@pytest.mark.parametrize(
    ("two", "one"),
    [
        (["callbacks=none", "+callbacks=filters"], "callbacks=[none,filters]"),
        (["+callbacks=[filters]", "+callbacks=[extremes,mistakes]"], "+callbacks=[filters,extremes,mistakes]"),
        (["logger=wandb", "+logger=tensorboard"], "logger=[wandb,tensorboard]"),
    ],
)
@pytest.mark.parametrize("read", [expand, lambda arguments: Space(arguments, {}, "full")], ids=["grid", "search"])
def test_an_option_that_would_add_to_another_is_not_taken_in_its_place(
    read: Callable[[list[str]], object], two: list[str], one: str
) -> None:
    with pytest.raises(
        InputError, match=re.escape(f"{' '.join(two)}: a sweep takes ") + r"\w+ once; .*" + re.escape(one)
    ):
        read([*two, "optimizer=sgd,adam"])
    read([one, "optimizer=sgd,adam"])


def test_of_a_key_that_is_given_twice_the_last_counts() -> None:
    assert jobs("optimizer.lr=0.1,0.2", "seed=0", "optimizer.lr=0.3") == ["optimizer.lr=0.3 seed=0"]
    assert jobs("++data.extra=1", "++data.extra=2") == ["++data.extra=2"]


@pytest.mark.parametrize("own", ["sweep.resume=latest", "hydra.launcher.jobs=2", "hydra/launcher=slurm", "budget=full"])
def test_what_is_about_the_sweep_does_not_reach_the_jobs(own: str) -> None:
    assert jobs("seed=0,1", own) == ["seed=0", "seed=1"]


def test_two_studies_are_no_sweep() -> None:
    with pytest.raises(InputError, match=r"^study: a sweep is of one study"):
        expand(["study=clock_best,pairs_best", "seed=0"])


def test_an_interval_needs_a_search() -> None:
    with pytest.raises(InputError, match="hydra/sweeper=optuna"):
        expand(["optimizer.lr=interval(0.1,1)"])


@pytest.mark.parametrize("one", ["range(0.0,inf)", "range(0,1,1e-12)", "range(1,200000)"])
def test_values_without_end_are_refused(one: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"optimizer.lr={one}: more than 100000 values")):
        expand([f"optimizer.lr={one}"])


def test_more_jobs_than_anyone_runs_are_refused() -> None:
    with pytest.raises(InputError, match="more than 100000 jobs"):
        expand(["optimizer.lr=range(0,400)", "seed=range(0,400)"])
    assert len(jobs("optimizer.lr=range(0,20)", "seed=range(0,20)")) == 400


# ---------------------------------------------------------------------- studies


def test_a_study_brings_its_grid() -> None:
    assert jobs("study=x", study=STUDY) == [
        "study=x encoding=regression seed=0",
        "study=x encoding=regression seed=1",
        "study=x encoding=angles seed=0",
        "study=x encoding=angles seed=1",
    ]


def test_the_command_line_changes_a_studys_axis_and_adds_its_own() -> None:
    assert jobs("study=x", "seed=7", "optimizer=sgd,adam", study=STUDY) == [
        "study=x encoding=regression seed=7 optimizer=sgd",
        "study=x encoding=regression seed=7 optimizer=adam",
        "study=x encoding=angles seed=7 optimizer=sgd",
        "study=x encoding=angles seed=7 optimizer=adam",
    ]


def test_a_quick_budget_replaces_and_adds() -> None:
    assert jobs("study=x", study=STUDY, budget="quick") == [
        "study=x encoding=regression seed=0 trainer.max_epochs=2",
        "study=x encoding=angles seed=0 trainer.max_epochs=2",
    ]


def test_the_command_line_wins_over_the_budget() -> None:
    found = jobs("study=x", "trainer.max_epochs=5", "seed=3,4", study=STUDY, budget="quick")
    assert found[0] == "study=x trainer.max_epochs=5 encoding=regression seed=3"
    assert len(found) == 4


def test_what_the_budget_changed_is_told() -> None:
    assert expand(["study=x", "seed=3"], STUDY, "quick")[1] == {"trainer.max_epochs": "2"}
    assert expand(["study=x"], STUDY)[1] == {}


def test_settings_go_together_and_cross_with_the_grid() -> None:
    study = {
        "settings": [{"data.length": 5, "optimizer.lr": 0.1}, {"data.length": 10, "optimizer.lr": 0.01}],
        "grid": {"seed": [0, 1]},
    }
    assert jobs("study=x", study=study) == [
        "study=x data.length=5 optimizer.lr=0.1 seed=0",
        "study=x data.length=5 optimizer.lr=0.1 seed=1",
        "study=x data.length=10 optimizer.lr=0.01 seed=0",
        "study=x data.length=10 optimizer.lr=0.01 seed=1",
    ]


def test_the_command_line_wins_over_a_setting() -> None:
    study = {"settings": [{"data.length": 5, "optimizer.lr": 0.1}, {"data.length": 10, "optimizer.lr": 0.01}]}
    assert jobs("study=x", "optimizer.lr=0.5", study=study) == [
        "study=x optimizer.lr=0.5 data.length=5",
        "study=x optimizer.lr=0.5 data.length=10",
    ]


def test_lists_words_and_nothing_in_a_study() -> None:
    study = {"grid": {"network.hidden": [[10, 20], []], "data.augment": [True], "x": [None, "a"]}}
    assert jobs(study=study)[:2] == [
        "network.hidden=[10, 20] data.augment=true x=null",
        "network.hidden=[10, 20] data.augment=true x=a",
    ]


@pytest.mark.parametrize(
    "value",
    ["größe", 'a "b"', "it's", "(half", "a=b", {"lr": 0.1, "betas": [0.9, None]}, [{"name": "ä b"}], ["ä"]],
    ids=str,
)
def test_hydra_reads_a_value_of_a_study_as_the_file_has_it(value: object) -> None:
    (job,) = expand([], {"grid": {"x": [value]}})[0].jobs
    assert parsed(job[0]).value() == value


@pytest.mark.parametrize(
    ("study", "told"),
    [
        ({"grid": {"optimizer.lr": []}}, "optimizer.lr=[]: a study gives each key"),
        ({"quick": {"seed": []}}, "seed=[]: a study gives each key"),
        ({"grid": {"hydra.launcher.jobs": [1, 2]}}, "hydra.launcher.jobs: it is of the sweep and not of its jobs"),
        ({"quick": {"hydra.launcher.jobs": 2}}, "hydra.launcher.jobs: it is of the sweep"),
        ({"settings": [{}, {"sweep.resume": "latest"}]}, "sweep.resume: it is of the sweep"),
    ],
    ids=str,
)
@pytest.mark.parametrize("read", [expand, Space], ids=["grid", "search"])
def test_what_no_job_can_have_is_refused(read: Callable[..., object], study: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        read(["optimizer=sgd,adam"], {"quick": {"seed": 0}, **study}, "quick")


def test_jobs_that_became_equal_are_done_once() -> None:
    study = {"settings": [{"optimizer.lr": 0.1}, {"optimizer.lr": 0.01}]}
    assert jobs("optimizer.lr=0.5", study=study) == ["optimizer.lr=0.5"]


@pytest.mark.parametrize(
    ("budget", "message"), [("huge", "budget=huge: give one of: full, quick"), ("quick", "budget=quick: needs a study")]
)
def test_a_budget_that_means_nothing_is_refused(budget: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        expand(["seed=0,1"], None, budget)


# ---------------------------------------------------------------------- resuming


def test_what_two_grids_do_not_share_is_shown() -> None:
    told = differences([["a=1"], ["a=2"]], [["a=2"], ["a=3"]])
    assert told == "1 job is gone: a=1\n1 job is new: a=3"
    assert differences([["a=1"], ["a=2"]], [["a=2"], ["a=1"]]) == "the order of the jobs differs"
    assert differences([["a=1"]], [["a=1"]]) == ""


def test_glob_takes_the_options_of_a_group(conf: Path) -> None:
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        axis = parse("optimizer=glob(ada*)")
        assert (["optimizer=adam"] in axis, ["optimizer=sgd"] in axis) == (True, False)
        with pytest.raises(InputError, match=r"optimizer=glob\(q\*\): no option of optimizer matches"):
            parse("optimizer=glob(q*)")
