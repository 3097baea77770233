"""A configuration builds what it may build, each kind in its place, and nothing else."""

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

import atelier
from atelier.compose.targets import NAMED, locate, within
from atelier.errors import InputError

Refused = Callable[[DictConfig, str], None]

FORBIDDEN = [
    "os.system",
    "posix.system",
    "subprocess.Popen",
    "builtins.eval",
    "eval",
    "functools.partial",
    "hydra.utils.instantiate",
    "torch.load",
    "torch.hub.load",
    "torch.os.system",
    "torch.utils.cpp_extension.load_inline",
    "torchevil.nn.Linear",
    "torch.nnevil.Linear",
    "",
    None,
    7,
    ["torch.nn.Linear"],
]
LEADING_OUT = [
    "torch.nn.modules.module.functools.partial",
    "torch.nn.modules.module.warnings.os.system",
    "torch.nn.modules.module.weakref.sys.exit",
    "torch.nn.Module.__class__",
    "torch.nn.Module.__subclasses__",
    "torch.nn.Linear.__init__.__globals__",
    "torch.nn.init.torch.load",
    "atelier.compose.targets.importlib.import_module",
    "atelier.compose.targets.hydra.utils.instantiate",
    "atelier.runs.checkpoint.pickle.loads",
    "lightning.pytorch.torch.load",
]
ABSENT = [
    "torch.nn.Linearr",
    "torch.nn",
    "atelier",
    "atelier.nothing.here",
    "torch.nn..Linear",
    "torch.nn.Linear.",
    "torch.optim.",
]


def node(target: Any, place: str = "optimizer", **arguments: Any) -> DictConfig:
    return OmegaConf.create({place: {"_target_": target, **arguments}})


@pytest.mark.parametrize("target", FORBIDDEN, ids=str)
def test_a_target_outside_of_the_allowed_packages_is_refused(refused: Refused, target: Any) -> None:
    refused(node(target), r"optimizer\._target_=.*not allowed.*torch\.nn, torch\.optim")


@pytest.mark.parametrize("target", LEADING_OUT)
def test_a_path_through_an_allowed_package_to_elsewhere_is_refused(refused: Refused, target: str) -> None:
    refused(node(target), rf"optimizer\._target_={re.escape(target)}")


@pytest.mark.parametrize("target", ABSENT)
def test_a_target_that_is_no_class_or_function_is_refused(refused: Refused, target: str) -> None:
    refused(node(target), rf"optimizer\._target_={re.escape(target)}: ")


def test_a_forbidden_module_is_not_even_imported(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_by_a_config.py").write_text("def build(): ...")
    monkeypatch.syspath_prepend(tmp_path)
    refused(node("imported_by_a_config.build"), "not allowed")
    assert "imported_by_a_config" not in sys.modules


@pytest.mark.parametrize(
    "place",
    [
        {"a": {"b": {"_target_": "os.system"}}},
        {"a": [{"b": 1}, {"_target_": "os.system"}]},
        {"a": [[{"_target_": "os.system"}]]},
        {"a": {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "os.system"}]}},
        {"_target_": "torch.nn.Linear", "in_features": {"_target_": "os.system"}, "out_features": 1},
        {"word": "os.system", "a": {"_target_": "${word}"}},
    ],
    ids=["nested", "in a list", "in a list of lists", "among arguments", "as an argument", "interpolated"],
)
def test_a_forbidden_target_is_found_wherever_it_hides(refused: Refused, place: dict[str, Any]) -> None:
    refused(OmegaConf.create(place), "_target_=os.system: not allowed")


WITH_EFFECTS = [
    "lightning.pytorch.cli.instantiate_class",
    "lightning.pytorch.utilities.migration.utils.migrate_checkpoint",
    "lightning.pytorch.demos.mnist_datamodule.MNISTDataModule",
    "lightning.pytorch.loggers.MLFlowLogger",
    "lightning.pytorch.loggers.CSVLogger",
    "torch.nn.modules.module.Module.load_state_dict",
    "torchvision.models.resnet18",
    "torchvision.models.get_model",
    "atelier.runs.folder.create",
    "atelier.runs.run.Run",
    "atelier.data.cache.write",
    "atelier.sweeps.local.Local",
    "atelier.sweeps.process.kill_group",
]
ANY_PLACE = ["optimizer", "network", "data", "task", "trainer", "callbacks.x", "logger.x", "data.augmentation"]


@pytest.mark.parametrize("target", WITH_EFFECTS)
@pytest.mark.parametrize("place", ANY_PLACE)
def test_what_writes_downloads_or_starts_programs_is_refused_everywhere(
    refused: Refused, target: str, place: str
) -> None:
    config = OmegaConf.create({})
    OmegaConf.update(config, place, {"_target_": target})
    refused(config, rf"{re.escape(place)}\._target_={re.escape(target)}: ")


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("data", "torch.nn.Linear"),
        ("task", "atelier.data.digits.Digits"),
        ("network", "atelier.tasks.classifier.Classifier"),
        ("data.augmentation", "lightning.pytorch.callbacks.DeviceStatsMonitor"),
        ("callbacks.own", "torch.nn.Linear"),
        ("network.layers", "lightning.pytorch.Trainer"),
    ],
)
def test_each_kind_has_its_place(refused: Refused, place: str, target: str) -> None:
    config = OmegaConf.create({})
    OmegaConf.update(config, place, {"_target_": target})
    refused(config, rf"{re.escape(place)}\._target_={re.escape(target)}: ")


@pytest.mark.parametrize(
    ("place", "target", "told"),
    [
        ("callbacks", "lightning.pytorch.callbacks.DeviceStatsMonitor", "; give it a key of its own: callbacks.NAME"),
        ("logger", "atelier.loggers.wandb.Wandb", "; give it a key of its own: logger.NAME"),
        ("callbacks", "atelier.data.digits.Digits", ""),
    ],
)
def test_what_stands_a_key_too_high_is_told_its_place(refused: Refused, place: str, target: str, told: str) -> None:
    refused(OmegaConf.create({place: {"_target_": target}}), rf"a \w+ does not stand here{re.escape(told)}$")


KINDS = {
    *("atelier.tasks.task.Task", "atelier.data.tensors.TensorData", "atelier.runs.metrics.RunLogger"),
    *("lightning.pytorch.callbacks.callback.Callback", "lightning.pytorch.trainer.trainer.Trainer"),
    *("lightning.pytorch.strategies.strategy.Strategy", "lightning.pytorch.profilers.profiler.Profiler"),
    *("optuna.samplers._base.BaseSampler", "optuna.pruners._base.BasePruner"),
    *("torch.nn.modules.module.Module", "torch.optim.optimizer.Optimizer", "torch.optim.lr_scheduler.LRScheduler"),
}

# Functions that call others: one opens a run's checkpoint, one makes a network of torchvision's without its weights.
READ = {"atelier.compose.features.trained_classifier", "atelier.networks.torchvision.classifier"}
PURE = [name for name in NAMED if name not in READ]


def test_of_all_public_names_in_the_allowed_packages_nothing_else_can_be_built() -> None:
    for module in pkgutil.walk_packages(atelier.__path__, "atelier."):
        importlib.import_module(module.name)
    names = [name for name, module in list(sys.modules.items()) if within(name) and module is not None]
    free, tried = set(), 0
    for module in names:
        for name, value in list(vars(sys.modules[module]).items()):
            if name.startswith("_") or not (isinstance(value, type) or callable(value)):
                continue
            tried += 1
            try:
                found = locate("x", f"{module}.{name}")
            except InputError:
                continue
            bases = {f"{base.__module__}.{base.__qualname__}" for base in getattr(found, "__mro__", ())}
            if not bases & KINDS:
                free.add(f"{found.__module__}.{found.__qualname__}")
    assert tried > 3000
    assert {name for name in free if not name.startswith(tuple(f"{module}." for module in PURE))} == READ


@pytest.mark.parametrize("module", PURE)
def test_a_module_whose_functions_can_be_built_only_computes(module: str) -> None:
    known = {value.__name__ for value in vars(importlib.import_module(module)).values() if inspect.ismodule(value)}
    assert known <= {
        "math",
        "torch",
        "warnings",
        "torch.nn.functional",
        "torch.nn",
        "torchvision.transforms.v2.functional",
    }


def test_a_target_whose_package_is_not_installed_names_the_package(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text("import a_package_that_is_not_there")
    monkeypatch.setattr(atelier, "__path__", [*atelier.__path__, str(tmp_path)])
    refused(node("atelier.needs_more.Thing"), "needs the package 'a_package_that_is_not_there'")
