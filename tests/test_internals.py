"""What is used of Lightning beyond its public interface still does what it is used for, entry by entry."""

import ast
import copy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers.logger import DummyLogger
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau, StepLR

from atelier import internals
from atelier.data.loader import BatchSampler, ResumableLoader, TensorSet
from atelier.runs.terminal import quieten_lightning

BATCHES, EPOCHS = 6, 3
QUIET: dict[str, Any] = {
    **dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False),
    **{"accelerator": "cpu", "devices": 1, "num_sanity_val_steps": 0, "use_distributed_sampler": False},
}


def loader() -> ResumableLoader:
    """Batches of one number, which tells them apart, in another order each epoch."""
    numbers = torch.arange(float(BATCHES))[:, None]
    sampler = BatchSampler(BATCHES, batch_size=1, train=True, shuffle=True)
    return ResumableLoader(TensorSet(numbers, numbers, torch.arange(BATCHES)), sampler)


class Line(lightning.LightningModule):
    """Notes what it is trained on, at which learning rate, and where it is validated."""

    def __init__(self, schedule: str) -> None:
        super().__init__()
        self.network, self.schedule = nn.Linear(1, 1), schedule
        self.seen: list[tuple[float, float] | str] = []
        self.checkpoint: Any = None

    def training_step(self, batch: Any, batch_index: int) -> Any:
        self.seen.append((batch[0].item(), self.trainer.optimizers[0].param_groups[0]["lr"]))
        return self.network(batch[0]).square().mean()

    def validation_step(self, batch: Any, batch_index: int) -> None:
        if batch_index == 0:
            self.seen.append("validation")
        self.log("val/loss", 1.0)  # never better than at first

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        schedules: dict[str, Callable[[], Any]] = {
            "step": lambda: StepLR(optimizer, 1, 0.5),
            "plateau": lambda: ReduceLROnPlateau(optimizer, patience=0),
            "one_cycle": lambda: OneCycleLR(optimizer, 0.1, int(self.trainer.estimated_stepping_batches)),
        }
        interval = "step" if self.schedule == "one_cycle" else "epoch"
        schedule = {"scheduler": schedules[self.schedule](), "interval": interval, "monitor": "val/loss"}
        return [optimizer], [schedule]


class Saving(Checkpoint):
    """Saves where the run's own keeper does, at one place: before an epoch, after a step, or at the end."""

    def __init__(self, path: Path, place: str, step: int) -> None:
        self.path, self.place, self.step = path, place, step

    def save(self, trainer: Any, place: str) -> None:
        if place == self.place and trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            trainer.lightning_module.seen.clear()

    def on_train_start(self, trainer: Any, task: Any) -> None:
        internals.resume_exactly(trainer)

    def on_train_epoch_start(self, trainer: Any, task: Any) -> None:
        self.save(trainer, "epoch")

    def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
        if not internals.validation_follows(trainer):
            self.save(trainer, "step")

    def on_train_end(self, trainer: Any, task: Any) -> None:
        if self.place == "end":
            internals.leave_epoch_open(trainer)
        self.save(trainer, "end")


@pytest.fixture(autouse=True)
def quiet() -> None:
    quieten_lightning()


@pytest.fixture
def rest_and_resumed(tmp_path: Path) -> Callable[..., tuple[list[Any], list[Any]]]:
    """What a run sees after the place where it is saved, and what one that goes on from there sees."""

    def seen(schedule: str, place: str, step: int, **options: Any) -> tuple[list[Any], list[Any]]:
        settings = {**QUIET, "default_root_dir": tmp_path, "max_epochs": EPOCHS, **options}
        found = []
        for start in (None, tmp_path / "saved.ckpt"):
            torch.manual_seed(0)
            task = Line(schedule)
            saving = [Saving(tmp_path / "saved.ckpt", "nowhere" if start else place, step)]
            trainer = lightning.Trainer(callbacks=saving, **copy.deepcopy(settings))
            trainer.fit(task, loader(), loader(), ckpt_path=start, weights_only=True)
            found.append(task.seen)
        return found[0], found[1]

    return seen


@pytest.mark.parametrize("schedule", ["step", "plateau", "one_cycle"])
@pytest.mark.parametrize(("place", "step"), [("epoch", 2 * BATCHES), ("step", BATCHES + 2), ("step", 2)])
def test_resume_exactly(rest_and_resumed: Any, schedule: str, place: str, step: int) -> None:
    """The batches of the rest of the epoch, each at the rate of an epoch's or a step's schedule, and its validation."""
    rest, resumed = rest_and_resumed(schedule, place, step)
    assert len(rest) == EPOCHS * (BATCHES + 1) - step - step // BATCHES
    assert resumed == rest


def test_resume_exactly_where_a_run_counts_steps(rest_and_resumed: Any) -> None:
    settings = {"max_epochs": -1, "max_steps": 16, "check_val_every_n_epoch": None, "val_check_interval": 4}
    rest, resumed = rest_and_resumed("step", "epoch", BATCHES, **settings)
    assert resumed == rest


@pytest.mark.parametrize("step", [3, 4, 8])
def test_validation_follows(rest_and_resumed: Any, step: int) -> None:
    """A validation after every fourth step: saved before it, the rest would lack it; so nothing is saved there."""
    settings = {"max_epochs": -1, "max_steps": 10, "check_val_every_n_epoch": None, "val_check_interval": 4}
    if step % 4:
        rest, resumed = rest_and_resumed("one_cycle", "step", step, **settings)
        assert resumed == rest
        assert rest.count("validation") == 2
    else:
        with pytest.raises(FileNotFoundError):
            rest_and_resumed("one_cycle", "step", step, **settings)


def test_leave_epoch_open(rest_and_resumed: Any, tmp_path: Path) -> None:
    """Ended in the middle of its second epoch, the run goes on there."""
    settings = {"max_epochs": -1, "check_val_every_n_epoch": None, "val_check_interval": 5}
    whole, _ = rest_and_resumed("step", "step", 8, max_steps=14, **settings)
    rest_and_resumed("step", "end", 8, max_steps=8, **settings)
    longer = Line("step")
    saving = Saving(tmp_path / "saved.ckpt", "nowhere", 0)
    trainer = lightning.Trainer(**QUIET, **settings, max_steps=14, callbacks=[saving], default_root_dir=tmp_path)
    trainer.fit(longer, loader(), loader(), ckpt_path=tmp_path / "saved.ckpt", weights_only=True)
    assert longer.seen == whole
    assert len(whole) == 7, "six steps and a validation"


@pytest.mark.parametrize("step", [4, 5])
def test_write_logged(step: int) -> None:
    """A run that stops in the hook after a step has the row of that step, if it is one that logs."""
    heard: list[int] = []

    class Heard(DummyLogger):
        def log_metrics(self, metrics: Any, step: int | None = None) -> None:
            heard.append(int(step or 0) + 1)

    class Logs(Line):
        def on_train_batch_end(self, *given: Any) -> None:
            self.log("train/loss", 1.0)
            if self.trainer.global_step == step:
                internals.write_logged(self.trainer)
                raise KeyboardInterrupt

    quiet = {**QUIET, "logger": Heard(), "log_every_n_steps": 2, "limit_val_batches": 0}
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        lightning.Trainer(**quiet, max_epochs=1, enable_checkpointing=False).fit(Logs("step"), loader(), loader())
    assert heard == [2, 4]


def test_count_on() -> None:
    logged: list[tuple[float, int]] = []

    class Note(DummyLogger):
        def log_metrics(self, metrics: Any, step: Any = None) -> None:
            logged.append((metrics["epoch"], step))

    class Tested(Line):
        test_step = Line.validation_step

        def on_test_start(self) -> None:
            internals.count_on(self.trainer, epochs=3, steps=18)

    trainer = lightning.Trainer(**QUIET | {"logger": Note()})
    trainer.test(Tested("step"), loader(), verbose=False)
    assert logged == [(3, 18)]


def test_end_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that Lightning starts for a second device and a third; one of them ends by itself."""
    started: list[Process] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: started.append(Process()) or started[-1])
    trainer = lightning.Trainer(**{**QUIET, "devices": 3}, strategy="ddp")
    launcher: Any = trainer.strategy.launcher
    launcher._call_children_scripts()
    first, second = started
    second.stuck = True
    internals.end_processes(trainer)
    assert (first.killed, second.killed) == (False, True)
    internals.end_processes(lightning.Trainer(**QUIET))  # which has no others


class Process:
    stuck = killed = False

    def wait(self, timeout: float) -> None:
        if self.stuck:
            raise subprocess.TimeoutExpired("train.py", timeout)

    def kill(self) -> None:
        self.killed = True


def test_ask_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning sets the variable, Adam and others ask at every step; here on a machine without a GPU."""
    asked: list[str] = []
    monkeypatch.setattr(torch.cuda, "_is_compiled", lambda: True)
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: asked.append("the driver") or 0)
    monkeypatch.setattr(torch._C, "_cuda_getDeviceCount", lambda: 0, raising=False)
    monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    optimizer = torch.optim.Adam([nn.Parameter(torch.ones(1))])
    optimizer.step()
    assert asked, "no optimizer asks any longer: the entry can go"
    internals.ask_no_driver()
    asked.clear()
    optimizer.step()
    assert not asked


class Quick(internals.QuickHooks, Line):
    pass


def test_quick_hooks() -> None:
    """The current hook's name goes past nn.Module, tens of times a step; parameters do not."""
    task, slowly = Quick("step"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Module, "__setattr__", lambda self, name, value: slowly.append(name))
        task._current_fx_name = "a hook"
    assert (task._current_fx_name, slowly) == ("a hook", [])
    task.network = nn.Linear(2, 2)
    assert "network.weight" in task.state_dict()


@pytest.mark.parametrize(("kind", "name"), [(Quick, "__setattr__"), (internals.NoProfiler, "profile")])
def test_what_is_quicker_happens_ten_times_a_step_or_more(monkeypatch: Any, kind: Any, name: str) -> None:
    calls, original = [], getattr(kind, name)
    monkeypatch.setattr(kind, name, lambda self, *args: calls.append(args[0]) or original(self, *args))
    settings: dict[str, Any] = {"max_epochs": 1, "enable_checkpointing": False, "limit_val_batches": 0}
    trainer = lightning.Trainer(**QUIET, **settings, profiler=internals.NoProfiler())
    trainer.fit(Quick("step"), loader(), loader())
    counted = calls if name == "profile" else [call for call in calls if call == "_current_fx_name"]
    assert len(counted) > 10 * BATCHES


# Private names of other libraries, and who needs them.
OTHERS = {
    "_apply": "torch: moving a module to a precision or a device, which tasks, metrics and the scratch network follow",
    "_exit": "Python, documented: the end of a process that was forked, with nothing undone of its parent",
    "_ConvNd": "torch: a convolution of any number of dimensions",
    "_calculate_fan_in_and_fan_out": "torch: the sizes that an initializer of its own scales by",
    "_update_count": "torchmetrics: that a metric holds something",
    "_trial_id": "Optuna: the number of a trial in its storage",
    "_to_model": "W&B workspaces: the definition of a workspace that is not sent",
}


def test_private_names_are_used_nowhere_else() -> None:
    source = Path(internals.__file__).parent
    for file in set(source.rglob("*.py")) - {Path(internals.__file__)}:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                own |= isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "super"
                assert own or node.attr in OTHERS or node.attr == "_target_", f"{file}:{node.lineno}: {node.attr}"
            if isinstance(node, ast.ImportFrom):
                private = {alias.name for alias in node.names if alias.name.startswith("_")}
                assert private <= OTHERS.keys(), f"{file}:{node.lineno}: {private}"
