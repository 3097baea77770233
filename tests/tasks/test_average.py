"""The moving average of a network's weights: its formula, where it is used, and how a run goes on with it."""

import os
import signal
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

from atelier.errors import InputError
from atelier.tasks.average import Average
from atelier.tasks.schedule import Schedule
from atelier.tasks.task import Task

Run = Callable[..., Any]
DECAY = 0.9


class Line(Task):
    """Its validation logs the first weight, so that a test sees which weights are validated."""

    def __init__(self, network: nn.Module | None = None, average: float | None = DECAY) -> None:
        torch.manual_seed(0)
        network = network or nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        super().__init__(network, partial(SGD, lr=0.1), Schedule(None), "val/weight", "min", average=average)
        self.seen: list[Tensor] = []  # the first weight after each step
        self.validated: list[Tensor] = []

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        return (self.network(batch[0]) - batch[1]).square().mean()

    def on_train_batch_end(self, *args: Any) -> None:
        self.seen.append(self.first.detach().clone())

    def validation_step(self, batch: list[Tensor], index: int) -> None:
        if index == 0:
            self.validated.append(self.first.detach().clone())
        self.log("val/weight", self.first.mean())

    @property
    def first(self) -> Tensor:
        return next(self.network.parameters())


def train(task: Task, epochs: int = 2, begun: Path | None = None, **options: Any) -> lightning.Trainer:
    """Six batches an epoch."""
    inputs = torch.rand(24, 2, generator=torch.Generator().manual_seed(1))
    data = DataLoader(TensorDataset(inputs, inputs.sum(1, keepdim=True)), batch_size=4)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=epochs, logger=False, **{"enable_checkpointing": False, **quiet, **options}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about workers, which are the run's affair
        trainer.fit(task, data, data, ckpt_path=begun, weights_only=True)
    return trainer


def test_the_average_is_torchs_own_from_the_weights_at_the_start() -> None:
    """AveragedModel takes the weights of its first update for the start."""
    task = Line()
    reference = AveragedModel(task.network, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    reference.update_parameters(task.network)
    task.on_before_zero_grad = lambda optimizer: None  # type: ignore[method-assign]
    task.on_train_batch_end = lambda *args: reference.update_parameters(task.network)  # type: ignore[method-assign]
    train(task)
    assert task.average is not None
    for name, value in reference.module.named_parameters():
        torch.testing.assert_close(task.average.means[name], value)


def test_validations_see_the_average_and_training_goes_on_from_the_weights() -> None:
    with_average, without = Line(), Line(average=None)
    before = without.first.detach().clone()
    for task in (with_average, without):
        train(task)
    assert torch.equal(torch.stack(with_average.seen), torch.stack(without.seen)), "training is the same"
    means = [before]
    for weight in without.seen:
        means.append(DECAY * means[-1] + (1 - DECAY) * weight)
    torch.testing.assert_close(torch.stack(with_average.validated), torch.stack([means[6], means[12]]))
    assert torch.equal(torch.stack(without.validated), torch.stack([without.seen[5], without.seen[11]]))
    torch.testing.assert_close(with_average.first.detach(), means[12]), "what is used after the training"


def test_a_second_training_goes_on_from_the_weights_and_averages_anew(tmp_path: Path) -> None:
    used, fresh, without = Line(), Line(), Line(average=None)
    train(without, epochs=3)
    train(used, epochs=1).save_checkpoint(begun := tmp_path / "begun.ckpt")
    trainer = train(used, epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.validate(used, trainer.val_dataloaders, verbose=False)
    assert torch.equal(used.first, used.validated[-2]), "it is still in use"
    for task in (used, fresh):
        train(task, begun=begun)
        train(task, epochs=1)
        assert torch.equal(torch.stack(task.seen[-12:]), torch.stack(without.seen[6:])), "training is the same"
        mean = without.seen[11]
        for weight in without.seen[12:]:
            mean = DECAY * mean + (1 - DECAY) * weight
        torch.testing.assert_close(task.validated[-1], mean)


def test_buffers_are_the_networks_own() -> None:
    with_average, without = Line(), Line(average=None)
    for task in (with_average, without):
        train(task)
    for found, expected in zip(with_average.network.buffers(), without.network.buffers(), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize(("several", "moves"), [(1, 12), (2, 6), (4, 4)])
def test_it_moves_once_for_each_optimizer_step(several: int, moves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[Any] = []
    monkeypatch.setattr(Average, "update", lambda self, names: counted.append(names))
    task = Line()
    train(task, accumulate_grad_batches=several)
    assert len(counted) == moves


def test_in_16_bits_small_steps_are_not_lost() -> None:
    """In bf16, a thousandth of the way would be rounded to none of it."""
    average = Average(nn.Linear(3, 1).to(torch.bfloat16), 0.999)
    task = nn.ModuleDict({"network": average.network})
    optimizer = SGD(task.parameters(), lr=0.0)
    trainer: Any = SimpleNamespace(
        strategy=SimpleNamespace(restore_checkpoint_after_setup=False), optimizers=[optimizer]
    )
    average.on_fit_start(trainer, task)
    before = average.means["weight"].clone()
    with torch.no_grad():
        average.network.weight.add_(1.0)
    for _ in range(10):
        optimizer.step()
    expected = before + (average.network.weight.float() - before) * (1 - 0.999**10)
    torch.testing.assert_close(average.means["weight"], expected.detach())


def shared() -> nn.Sequential:
    """A network with one weight in two places."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1))
    network[1].weight = network[0].weight
    return network


def test_weights_in_two_places_are_one_weight_also_in_a_checkpoint(tmp_path: Path) -> None:
    task = Line(shared())
    trainer = train(task, epochs=1)
    trainer.save_checkpoint(tmp_path / "saved.ckpt")
    state = torch.load(tmp_path / "saved.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(state["network.0.weight"], state["network.1.weight"])
    assert torch.equal(state["network.0.weight"], task.first)


@pytest.mark.parametrize("options", [{}, {"val_check_interval": 2}, {"check_val_every_n_epoch": 2}])
def test_training_goes_on_from_weights_in_two_places(options: dict[str, Any]) -> None:
    """Of the second place, the average would be taken for the weight."""
    with_average, without = Line(shared()), Line(shared(), average=None)
    for task in (with_average, without):
        train(task, epochs=3, **options)
    assert torch.equal(torch.stack(with_average.seen), torch.stack(without.seen))


def test_divided_weights_are_refused() -> None:
    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(restore_checkpoint_after_setup=True), optimizers=[])
    with pytest.raises(InputError, match=r"task\.average=0\.5: .*trainer=ddp"):
        Average(nn.Linear(1, 1), 0.5).on_fit_start(trainer, nn.Module())


# ---------------------------------------------------------------------- runs

SMALL = [
    *("trainer=cpu", "network.hidden=[8]", "network.dropout=0.3", "network.batch_norm=true", "callbacks=none"),
    *("data.batch_size=256", "trainer.max_epochs=2", "save_every=0", "task.clean_train_accuracy=true"),
]
AVERAGED = [*SMALL, "task.average=0.5"]
STEPS = 5  # of an epoch: 1,150 pictures in batches of 256
SCRATCH = ["task=scratch", "network=scratch_mlp", "scheduler=constant", "optimizer=adam"]


@pytest.fixture(scope="module")
def whole(run_verb: Run) -> Callable[..., Any]:
    """A run that nothing stopped."""
    known: dict[tuple[str, ...], Any] = {}

    def run(*overrides: str) -> Any:
        if overrides not in known:
            known[overrides] = run_verb("train", *overrides)
            assert (known[overrides].code, known[overrides].err) == (0, "")
        return known[overrides]

    return run


def checkpoint(folder: Path, name: str) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_best_checkpoint_holds_the_average_and_the_last_one_the_weights_too(whole: Any) -> None:
    averaged, without = (whole(*overrides).folder for overrides in (AVERAGED, SMALL))
    best, last, plain = checkpoint(averaged, "best"), checkpoint(averaged, "last"), checkpoint(without, "last")
    assert best["state_dict"].keys() == plain["state_dict"].keys()
    assert "raw_weights" not in best
    weights = {name: value for name, value in plain["state_dict"].items() if "running" not in name}
    weights = {name: value for name, value in weights.items() if "num_batches" not in name and "network" in name}
    assert same(last["raw_weights"], weights), "averaging changes no training"
    assert not any(torch.equal(last["state_dict"][name], value) for name, value in weights.items())
    assert "raw_weights" not in plain


def test_what_opens_a_run_uses_the_average(whole: Any, run_verb: Run) -> None:
    run = whole(*AVERAGED)
    for name in ("best", "last"):
        outcome = run_verb("eval", f"run={run.folder}", "split=val", f"checkpoint={name}", logs=run.logs)
        assert (outcome.code, outcome.err) == (0, "")
        value = float(next(line.split()[-2] for line in outcome.out.splitlines() if " val/accuracy " in line))
        rows = [line.split(",") for line in run.metrics.splitlines()]
        logged = [float(row[rows[0].index("val/accuracy")]) for row in rows[1:] if row[rows[0].index("val/accuracy")]]
        assert value == pytest.approx(max(logged) if name == "best" else logged[-1])


@pytest.mark.parametrize("kind", ["classifier", pytest.param("scratch", marks=pytest.mark.slow)])
@pytest.mark.parametrize("step", [STEPS + 2, STEPS])
def test_a_stopped_run_ends_with_the_same_weights_and_the_same_average(
    whole: Any, run_verb: Run, kind: str, step: int
) -> None:
    from atelier.tasks.classifier import Classifier
    from atelier.tasks.scratch import Scratch

    overrides = [*AVERAGED, *(SCRATCH if kind == "scratch" else [])]
    task: Any = {"classifier": Classifier, "scratch": Scratch}[kind]
    original, left = task.training_step, [step]

    def stopping(self: Any, *args: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "training_step", stopping)
        stopped = run_verb("train", *overrides)
    assert stopped.code == 128 + signal.SIGTERM
    assert run_verb("train", f"resume={stopped.folder}").code == 0
    expected = whole(*overrides)
    assert stopped.metrics == expected.metrics
    found, wanted = (checkpoint(run.folder, "last") for run in (stopped, expected))
    for key in ("state_dict", "raw_weights"):
        assert same(found[key], wanted[key])


def test_a_run_may_stop_averaging_and_begin_it(whole: Any, run_verb: Run) -> None:
    without, more = whole(*SMALL, "test=false"), ["trainer.max_epochs=3", "test=false"]
    run = run_verb("train", *AVERAGED, "test=false")
    raw = checkpoint(run.folder, "last")["raw_weights"]
    outcome = run_verb("train", f"resume={run.folder}", "task.average=null", *more)
    assert (outcome.code, outcome.err) == (0, "")
    third = run_verb("train", *SMALL, *more)
    ended = checkpoint(run.folder, "last")
    assert "raw_weights" not in ended
    assert same(ended["state_dict"], checkpoint(third.folder, "last")["state_dict"]), "it went on from its weights"
    assert not any(torch.equal(ended["state_dict"][name], value) for name, value in raw.items())
    outcome = run_verb("train", f"resume={without.folder}", "task.average=0.5", *more)
    assert (outcome.code, outcome.err) == (0, "")
    begun = checkpoint(without.folder, "last")
    assert all(torch.equal(begun["raw_weights"][name], ended["state_dict"][name]) for name in raw)


def test_every_task_has_an_average(
    compose: Callable[..., Any], context: Callable[[str, str], list[str]], task_option: str
) -> None:
    from atelier.compose.targets import build

    given = context("task", task_option)
    features = ["features=pixels"] if task_option in ("gan", "vae") else []
    config = compose(*given, *features, f"task={task_option}", "task.average=0.5")
    OmegaConf.resolve(config)
    task = build(config.task)
    assert task.average.network is (task.generator if task_option == "gan" else task.network)
    assert task.average.decay == 0.5
