"""Every task computes its losses and metrics in 32 bits or more, and trains, whatever the run's precision."""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from atelier.compose.build import build_data, build_task, build_trainer
from atelier.errors import InputError
from atelier.runs.terminal import quieten_lightning
from atelier.scratch.linear import Linear
from atelier.tasks.precision import as_its_weights, choose_precision, in_full
from atelier.tasks.task import Task

Compose = Callable[..., DictConfig]
SHORT = [
    *("trainer=cpu", "callbacks=none", "trainer.max_epochs=1", "trainer.max_steps=-1", "trainer.log_every_n_steps=1"),
    *("trainer.check_val_every_n_epoch=1", "trainer.val_check_interval=1.0"),
    *("trainer.limit_train_batches=2", "trainer.limit_val_batches=1", "trainer.limit_test_batches=1"),
]


@pytest.fixture
def config_of(
    compose: Compose,
    context: Callable[[str, str], list[str]],
    small: Callable[[DictConfig], list[str]],
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Compose:
    """A short training of a task on small data."""
    monkeypatch.setenv("DATA_DIR", str(data_dir))

    def made(task: str) -> DictConfig:
        chosen = [*context("task", task), f"task={task}"]
        return compose(*chosen, *small(compose(*chosen)), *SHORT)

    return made


@pytest.fixture
def config(config_of: Compose, task_option: str) -> DictConfig:
    return config_of(task_option)


LINEAR = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, Linear)


def networks(task: Task) -> list[nn.Module]:
    return list(task.network.children()) if isinstance(task.network, nn.ModuleDict) else [task.network]


def run(config: DictConfig, precision: str, change: Callable[[nn.Module], None] | None = None) -> tuple[Task, Any]:
    """A task after its training and test, and all that it logged."""
    config = copy.deepcopy(config)
    config.trainer.precision = precision
    task, data = build_task(config), build_data(config)
    for network in networks(task) if change else ():
        change(network)
    with warnings.catch_warnings():
        quieten_lightning()
        trainer = build_trainer(config, task.network)
        trainer.fit(task, data)
        logged = dict(trainer.callback_metrics)
        trainer.test(task, data, verbose=False)
    return task, logged | trainer.callback_metrics


def gives(kind: torch.dtype) -> Callable[[nn.Module], None]:
    """Makes a network compute in 32 bits and give its outputs rounded to bf16, as numbers of a kind."""

    def change(network: nn.Module) -> None:
        forward = network.forward

        def rounded(*inputs: Tensor) -> Tensor:
            with torch.autocast("cpu", enabled=False):
                return forward(*inputs).bfloat16().to(kind)

        network.forward = rounded  # type: ignore[method-assign]

    return change


def test_what_is_made_of_outputs_in_bf16_is_made_in_32_bits(config: DictConfig) -> None:
    """The same outputs, once as bf16 under autocast and once in 32 bits: nothing that follows may differ."""
    half, metrics = run(config, "bf16-mixed", gives(torch.bfloat16))
    exact, expected = run(config, "32-true", gives(torch.float32))
    assert metrics.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(metrics[name], value, rtol=1e-5, atol=1e-6, msg=lambda told, n=name: f"{n}: {told}")
    for (name, weight), (_, other) in zip(exact.named_parameters(), half.named_parameters(), strict=True):
        torch.testing.assert_close(other, weight, rtol=1e-4, atol=1e-6, msg=lambda told, n=name: f"{n}: {told}")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_every_task_trains_in(config: DictConfig, precision: str) -> None:
    trains_in(config, precision)


@pytest.mark.parametrize(
    ("task", "precision"),
    [("classifier", "64-true"), ("classifier", "bf16-true"), ("pairs", "bf16-true"), ("scratch", "bf16-true")],
)
def test_a_task_trains_in(config_of: Compose, task: str, precision: str) -> None:
    trains_in(config_of(task), precision)


def trains_in(config: DictConfig, precision: str) -> None:
    before = build_task(config)
    task, metrics = run(config, precision)
    kind = {"64-true": torch.float64, "bf16-true": torch.bfloat16}[precision]
    assert {parameter.dtype for parameter in task.network.parameters()} == {kind}
    for after, begun in zip(weights(task), weights(before), strict=True):
        assert not torch.equal(after, begun.to(kind)), "it has not moved"
    assert metrics
    assert all(value.isfinite() for value in metrics.values())
    assert all(value.dtype in (torch.float32, torch.float64) for value in metrics.values())


@pytest.mark.parametrize("task_name", ["scratch", "gan", "vae"])
def test_one_step_under_autocast(
    compose: Compose, context: Any, small: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch, task_name: str
) -> None:
    """What a layer gives is in bf16, of scratch in 32 bits; the weights, and what is made of the outputs, are not."""
    monkeypatch.setenv("DATA_DIR", str(data_dir))
    chosen = [*context("task", task_name), f"task={task_name}"]
    one = [f"trainer.limit_{split}_batches=1" for split in ("train", "val", "test")]
    config = compose(*chosen, *small(compose(*chosen)), *SHORT, *one)
    inside: set[torch.dtype] = set()

    def watch(network: nn.Module) -> None:
        layers: Any = network.layers.layers if task_name == "scratch" else network.modules()
        first = next(layer for layer in layers if isinstance(layer, LINEAR))
        forward = first.forward
        first.forward = lambda *inputs: noted(forward(*inputs))

    def noted(output: Tensor) -> Tensor:
        inside.add(output.dtype)
        return output

    before = weights(build_task(config))
    task, metrics = run(config, "bf16-mixed", watch)
    assert inside == {torch.float32 if task_name == "scratch" else torch.bfloat16}
    for after, begun in zip(weights(task), before, strict=True):
        assert after.dtype == torch.float32
        assert after.isfinite().all()
        assert not torch.equal(after, begun), "it has not moved"
    assert metrics
    assert all(value.isfinite() and value.dtype in (torch.float32, torch.float64) for value in metrics.values())


def test_sums_keep_their_bits_where_the_network_has_16(compose: Compose) -> None:
    """In bf16 a count of samples would stop at 256."""
    task = build_task(compose()).to(dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in task.parameters()} == {torch.bfloat16}
    for number in range(1000):
        task.train_loss.update(torch.tensor(float(number)), 1)
    assert task.train_loss.compute().item() == 499.5
    assert task.test_confusion.counts.dtype == torch.int64
    task.to(dtype=torch.float64)
    assert task.train_loss.compute().item() == 499.5


@pytest.mark.parametrize(
    "chosen",
    [["optimizer=adam"], ["optimizer=rmsprop"], ["experiment=disk_scratch", "optimizer=adam"]],
    ids=["adam", "rmsprop", "scratch"],
)
def test_an_optimizer_whose_eps_vanishes_is_refused(
    compose: Compose, chosen: list[str], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(data_dir))
    config = compose(*chosen, *SHORT)
    with pytest.raises(InputError, match=r"^trainer\.precision=16-true: the optimizer's eps=1e-\d+ is 0 in 16 bits"):
        run(config, "16-true")


def test_an_optimizer_whose_eps_is_a_pair_trains(
    compose: Compose, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(data_dir))
    config = compose("optimizer=sgd", "optimizer._target_=torch.optim.Adafactor", *SHORT)
    assert config.optimizer.lr > 0
    run(config, "32-true")


def test_16_bits_train_with_an_optimizer_that_can(
    compose: Compose, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(data_dir))
    for chosen in (["optimizer=sgd"], ["optimizer=adam", "++optimizer.eps=1e-4"]):
        task, metrics = run(compose(*chosen, *SHORT), "16-true")
        assert {parameter.dtype for parameter in task.network.parameters()} == {torch.float16}
        assert all(parameter.isfinite().all() for parameter in task.network.parameters())
        assert all(value.isfinite() for value in metrics.values())


class Kept(nn.Module):
    """Gives back what it is given; its weight is in its second part."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.Sequential(nn.ReLU(), nn.Linear(1, 1))

    def forward(self, *inputs: Any) -> Any:
        return inputs if len(inputs) > 1 else inputs[0]


REAL, WHOLE = torch.ones(2), torch.tensor([2**24 + 1])


@pytest.mark.parametrize(
    ("kind", "given", "inside", "outside"),
    [
        (torch.float32, (REAL,), torch.float32, torch.float32),
        (torch.float32, (REAL.double(), WHOLE), torch.float32, torch.float32),
        (torch.bfloat16, (REAL,), torch.bfloat16, torch.float32),
        (torch.bfloat16, (REAL, [WHOLE, {"more": REAL}]), torch.bfloat16, torch.float32),
        (torch.float64, (REAL, WHOLE), torch.float64, torch.float64),
    ],
)
def test_a_network_computes_in_the_precision_of_its_weights(
    kind: torch.dtype, given: tuple[Any, ...], inside: torch.dtype, outside: torch.dtype
) -> None:
    network, seen = Kept().to(kind), []
    network.register_forward_pre_hook(as_its_weights)
    network.register_forward_hook(lambda network, inputs, outputs: seen.append(inputs))
    network.register_forward_hook(in_full)
    found = network(*given)
    for values, expected in ((seen[0], inside), (found, outside)):
        assert {value.dtype for value in tensors(values)} == {expected} | ({torch.int64} if len(given) > 1 else set())


def tensors(values: Any) -> list[Tensor]:
    if isinstance(values, Tensor):
        return [values]
    return [one for part in (values.values() if isinstance(values, dict) else values) for one in tensors(part)]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_what_is_right_already_is_not_gone_through(kind: torch.dtype) -> None:
    """At every forward, of which a small network makes thousands in a second: PyTorch takes None for `as it is`."""
    network, given = Kept().to(kind), REAL.to(kind)
    assert as_its_weights(network, (given, given)) is None
    assert as_its_weights(nn.Flatten(), (given.half(),)) is None
    assert in_full(network, (given,), given) is None


def weights(task: Task) -> list[Tensor]:
    """Of each network, the largest."""
    return [max(network.parameters(), key=torch.numel).detach() for network in networks(task)]


BF16 = [{"avx512_bf16": True, "amx_bf16": False}, {"avx512_bf16": False, "amx_bf16": True}]
WIDE, NARROW = nn.Conv2d(16, 32, 3), nn.Conv2d(1, 64, 3)


@pytest.mark.parametrize(
    ("network", "has", "expected", "reason"),
    [
        *((nn.Sequential(NARROW, WIDE), has, "bf16-mixed", "Conv2d") for has in BF16),
        (nn.ModuleDict({"generator": nn.ConvTranspose2d(32, 16, 4)}), BF16[0], "bf16-mixed", "ConvTranspose2d"),
        (nn.Sequential(nn.LSTM(4, 4), WIDE), BF16[0], "bf16-mixed", "Conv2d and LSTM"),
        (nn.Sequential(NARROW, nn.Linear(64, 64), nn.GRU(4, 4)), BF16[0], "32-true", "wide convolutions and LSTMs"),
        (WIDE, {"avx512_bf16": False, "avx512_f": True}, "32-true", "no bf16 instructions"),
        (WIDE, {"bf16": True}, "32-true", "no bf16 instructions"),  # an ARM processor, on which nothing was measured
    ],
    ids=str,
)
def test_auto_takes_bf16_on_a_processor_that_gains_from_it(
    monkeypatch: pytest.MonkeyPatch, network: nn.Module, has: dict[str, bool], expected: str, reason: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    chosen, because = choose_precision("cpu", network)
    assert (chosen, reason in because) == (expected, True), because


@pytest.mark.parametrize(("able", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_takes_bf16_on_a_gpu_that_has_it(monkeypatch: pytest.MonkeyPatch, able: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: able or including_emulation)
    assert choose_precision("cuda", nn.Linear(1, 1))[0] == expected


def test_auto_takes_32_bits_where_torch_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_precision("cpu", WIDE)[0] == choose_precision("mps", WIDE)[0] == "32-true"
