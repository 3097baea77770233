"""The learning-rate finder: a suggestion, a figure, no run; what cannot stand beside it is refused in a line."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from atelier.api.train import train
from atelier.compose.preflight import check_job
from atelier.errors import InputError
from atelier.lr_find.ramp import LATEST, LOWEST, NEAR, RATES, STEPS, Ramp, diverged, smoothed, suggestion
from atelier.runs.setting import setting_hash
from atelier.tasks.classifier import Classifier

Run = Callable[..., Any]
ROOT = Path(__file__).parents[2]
SMALL = ["trainer=cpu", "data.train_size=200", "network.hidden=[32]", "lr_find=true"]


@pytest.fixture(scope="module")
def found(run_verb: Run) -> Any:
    """What the command does on a few digits. Tests change nothing in it."""
    return run_verb("train", *SMALL, "scheduler=one_cycle", "trainer.max_epochs=1", "task.clean_train_accuracy=true")


def read(outcome: Any) -> list[dict[str, str]]:
    (file,) = outcome.logs.glob("lr_find/default/*/lr_find.csv")
    return list(csv.DictReader(file.read_text().splitlines()))


# ---------------------------------------------------------------------- the command


def test_a_rate_is_suggested_beside_the_present_one_as_it_is_typed(found: Any, compose: Callable[..., Any]) -> None:
    assert (found.code, found.err) == (0, "")
    (typed, now) = re.search(r"^suggestion: (\S+) \((\S+) now\)$", found.out, re.MULTILINE).groups()  # type: ignore[union-attr]
    assert compose(typed).optimizer.lr == found.returned
    assert now == "optimizer.lr=0.001"
    assert 1e-4 < found.returned < 1e-1, "Adam learns the digits there"


def test_the_rates_rise_beyond_an_epoch(found: Any) -> None:
    rows = read(found)
    batches = -(-180 // 32)
    assert len(rows) > 5 * batches
    assert [float(row["lr"]) for row in rows] == RATES[: len(rows)].tolist()


@pytest.mark.parametrize("scheduler", ["plateau", "one_cycle", "cosine"])
def test_the_schedulers_have_no_part_in_the_rates(
    run_verb: Run, monkeypatch: pytest.MonkeyPatch, scheduler: str
) -> None:
    """One that watches a validation, which there is not, is left out, too."""
    used: list[float] = []
    step = Classifier.training_step

    def noted(task: Any, *given: Any) -> Any:
        used.append(task.trainer.optimizers[0].param_groups[0]["lr"])
        return step(task, *given)

    monkeypatch.setattr(Classifier, "training_step", noted)
    outcome = run_verb("train", *SMALL, f"scheduler={scheduler}", "trainer.max_epochs=1")
    assert (outcome.code, outcome.err) == (0, "")
    assert len(used) > 50
    assert used == RATES[: len(used)].tolist()


def test_it_makes_a_curve_and_no_run(found: Any, run_verb: Run) -> None:
    (folder,) = found.logs.glob("lr_find/default/*/")
    assert {path.name for path in folder.iterdir()} == {"lr_find.csv", "lr_find.png", "overrides.yaml"}
    assert [path.name for path in found.logs.iterdir()] == ["lr_find"]
    picture = imread(folder / "lr_find.png")
    orange = (np.abs(picture[..., :3] - np.array([0xD5, 0x5E, 0x00]) / 255) < 0.02).all(axis=-1)
    assert orange.any(axis=1).mean() > 0.5, "the suggestion is a line over the height of the axes"
    assert "There is no run under" in run_verb("report", logs=found.logs).out
    assert "there is no run under" in run_verb("eval", "run=latest", logs=found.logs).err


def test_the_same_seed_gives_the_same_suggestion(found: Any, run_verb: Run) -> None:
    again = run_verb("train", *SMALL)
    assert read(again) == read(found)
    assert again.returned == found.returned


@pytest.mark.slow
def test_another_seed_gives_other_losses(found: Any, run_verb: Run) -> None:
    assert read(run_verb("train", *SMALL, "seed=1")) != read(found)


def test_the_batches_of_a_step_count_together(found: Any, run_verb: Run) -> None:
    """180 digits in 6 batches: half as large, they are 12, of which 2 make a step."""
    halves = [*SMALL, "data.batch_size=16", "trainer.accumulate_grad_batches=2"]
    there, here = (np.array([float(row["loss"]) for row in read(one)]) for one in (found, run_verb("train", *halves)))
    assert here[:5] == pytest.approx(there[:5], rel=1e-5)


@pytest.mark.slow
def test_it_starts_from_other_weights(run_verb: Run, found: Any, tmp_path: Path) -> None:
    learnt = run_verb("train", *SMALL[:-1], "test=false", "callbacks=none", "trainer.max_epochs=20")
    outcome = run_verb("train", *SMALL, f"start.weights={learnt.folder}")
    assert outcome.out.startswith("start.weights: ")
    assert float(read(outcome)[0]["loss"]) < 0.5 * float(read(found)[0]["loss"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "task", [["task=scratch", "network=scratch_mlp"], ["experiment=digits_vae", "features=pixels"]]
)
def test_other_tasks_with_one_optimizer_have_it_too(run_verb: Run, task: list[str]) -> None:
    outcome = run_verb("train", "trainer=cpu", "data.train_size=200", *task, "lr_find=true")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.returned > LOWEST


@pytest.mark.slow
def test_where_nothing_is_learnt_nothing_is_suggested(run_verb: Run) -> None:
    outcome = run_verb("train", *SMALL, "initializer=zeros")
    assert outcome.code == 0
    assert "no suggestion: the loss falls at no learning rate (optimizer.lr=0.001 now)" in outcome.out
    assert outcome.returned is None


@pytest.mark.slow
def test_two_processes_find_together(run_process: Run) -> None:
    outcome = run_process("train", "trainer=ddp_cpu", *SMALL[1:], python=())
    assert (outcome.code, outcome.err) == (0, "")
    assert len(re.findall("^suggestion: ", outcome.out, re.MULTILINE)) == 1


# ---------------------------------------------------------------------- the suggestion


def falling(lowest: float, scatter: float = 0.0) -> list[float]:
    """Losses that are lowest at a rate, and rise on both sides."""
    noise = np.random.default_rng(0).normal(0, 1, STEPS)
    return list(2 - 1.5 * np.exp(-(np.log10(RATES / lowest) ** 2)) + scatter * noise)


@pytest.mark.parametrize("lowest", [1e-4, 1e-2, 0.3])
@pytest.mark.parametrize("scatter", [0.0, 0.1])
def test_a_tenth_of_the_rate_with_the_lowest_loss_is_suggested(lowest: float, scatter: float) -> None:
    assert suggestion(falling(lowest, scatter)) == pytest.approx(lowest / 10, rel=0.6 if scatter else 0.1)


def test_a_fall_that_is_little_for_one_loss_is_much_for_a_mean_of_many() -> None:
    """It is three deviations of a loss, and fifteen of a mean of 25."""
    assert suggestion(falling(1e-2, scatter=0.5)) == pytest.approx(1e-3, rel=0.6)


def test_losses_that_only_scatter_give_no_suggestion() -> None:
    noise = np.random.default_rng(0).normal(2, 0.3, (20, STEPS))
    assert [suggestion(list(losses)) for losses in noise] == [None] * 20
    assert suggestion([2.0] * STEPS) is None
    assert suggestion([2.0] * NEAR) is None


def test_a_last_loss_that_is_not_finite_does_not_hide_the_others() -> None:
    losses = falling(1e-2)[:160]
    assert suggestion([*losses, float("nan")]) == suggestion(losses)
    assert np.isfinite(smoothed([*losses, float("inf")])[NEAR : len(losses) - NEAR]).all()


@pytest.mark.parametrize("first", [2.3, -40.0])
def test_a_training_has_diverged_far_above_its_first_losses(first: float) -> None:
    steady = [first] * 3 * LATEST
    assert not diverged(steady)
    assert not diverged([*steady, first + 2 * abs(first)])
    assert diverged([*steady, first + 20 * abs(first)])
    assert diverged([*steady, float("nan")])
    assert not diverged([first, first + 20 * abs(first)]), "of the first batches, one may be much worse"
    for fall, ends in ((0.99, False), (4.0, True)):  # back at the first loss, which measures how far that is
        lower = [first - fall * abs(first)] * LATEST
        assert diverged([*steady, *lower, *steady]) is ends


def test_each_step_has_the_next_rate_and_its_batches_the_same() -> None:
    """Two batches a step: the loss of a rate is that of before its step."""
    one = torch.optim.SGD([{"params": [torch.zeros(1)]}, {"params": [torch.ones(1)], "lr": 7.0}], lr=1.0)
    strategy = SimpleNamespace(reduce=lambda loss, reduce_op: loss)
    trainer: Any = SimpleNamespace(optimizers=[one], accumulate_grad_batches=2, strategy=strategy, is_global_zero=False)
    ramp, rates = Ramp(), []
    for batch in range(6):
        ramp.on_train_batch_start(trainer, None, None, batch)
        rates.append([group["lr"] for group in one.param_groups])
        trainer.global_step = (batch + 1) // 2
        ramp.on_train_batch_end(trainer, None, {"loss": torch.tensor(batch / 2)}, None, batch)
    assert rates == [[RATES[batch // 2]] * 2 for batch in range(6)]
    assert ramp.losses == [0.5, 2.5, 4.5], "the means of 0 and 1, of 2 and 3, of 4 and 5"


def test_a_training_step_without_a_loss_is_told() -> None:
    one = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    trainer: Any = SimpleNamespace(optimizers=[one], global_step=1, accumulate_grad_batches=1)
    with pytest.raises(InputError, match=r"lr_find=true: object\.training_step returns no loss"):
        Ramp().on_train_batch_end(trainer, object(), {}, None, 0)


def test_a_training_ends_where_it_diverges() -> None:
    ramp, strategy = Ramp(), SimpleNamespace(reduce=lambda loss, reduce_op: loss)
    trainer: Any = SimpleNamespace(accumulate_grad_batches=1, strategy=strategy, is_global_zero=False)
    for step, loss in enumerate((1.0, float("nan")), start=1):
        trainer.global_step = step
        ramp.on_train_batch_end(trainer, None, {"loss": torch.tensor(loss)}, None, 0)
        assert trainer.should_stop is (step == 2)


# ---------------------------------------------------------------------- refused

REFUSED = [
    (["experiment=digits_gan", "features=pixels"], "lr_find=true: GAN has 2 optimizers with a learning rate each"),
    (["~optimizer.lr"], "optimizer=adam: lr_find=true looks for its lr, and it has none"),
    (["train=false", "checkpoint=a.ckpt"], "train=false: lr_find=true trains anew"),
    (["paths.run=there"], "paths.run=there: lr_find=true trains anew"),
    (["lr_find=ture"], "lr_find=ture: give true or false"),
    (["optimizer.momentum=1"], "optimizer.momentum"),
]


@pytest.mark.parametrize(("overrides", "words"), REFUSED, ids=[" ".join(one) for one, _ in REFUSED])
def test_what_cannot_stand_beside_it_is_told_in_a_line(run_verb: Run, overrides: list[str], words: str) -> None:
    outcome = run_verb("train", "trainer=cpu", "lr_find=true", *overrides)
    assert outcome.code == 2
    assert outcome.err.startswith(words) or words in outcome.err.splitlines()[0]
    assert len(outcome.err.splitlines()) <= 2
    assert not list(outcome.logs.iterdir())


def test_it_does_not_go_on_with_a_run(run_verb: Run, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"overrides": ["trainer=cpu"]}')
    outcome = run_verb("train", f"resume={tmp_path}", "lr_find=true")
    assert outcome.code == 2
    assert outcome.err.startswith(f"resume={tmp_path}: lr_find=true trains anew")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_sweep_says_it_before_its_first_job(data_dir: Path) -> None:
    job = ["trainer=cpu", "seed=1", "lr_find=true"]
    problem = check_job(ROOT, {"DATA_DIR": str(data_dir)}, None, ["seed"], job)["problem"]
    assert problem.startswith("lr_find=true looks for the learning rate of one configuration: without -m")


def test_python_says_that_no_run_would_come_of_it() -> None:
    with pytest.raises(InputError, match="lr_find=true: give overrides such as"):
        train("lr_find=true")


def test_the_key_does_not_count_for_a_setting(compose: Callable[..., Any]) -> None:
    earlier = compose()
    del earlier.lr_find
    assert setting_hash(compose()) == setting_hash(earlier)
