"""A configuration builds what it may build, with arguments that fit; everything else is told in a line."""

import importlib
import inspect
import itertools
import pkgutil
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

import atelier
from atelier.arguments import typed
from atelier.callbacks.training_pictures import TrainingPictures
from atelier.compose.build import check_targets
from atelier.compose.targets import NAMED, build, check, locate, within
from atelier.errors import InputError
from atelier.loggers.tensorboard import TensorBoard
from atelier.loggers.wandb import Wandb
from atelier.metrics import features

Compose = Callable[..., DictConfig]

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


def refused(config: DictConfig, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        check(config)
    assert len(str(error.value).splitlines()) <= 2


# ---------------------------------------------------------------------- what may be built


@pytest.mark.parametrize("target", FORBIDDEN, ids=str)
def test_a_target_outside_of_the_allowed_packages_is_refused(target: Any) -> None:
    refused(node(target), r"optimizer\._target_=.*not allowed.*torch\.nn, torch\.optim")


@pytest.mark.parametrize("target", LEADING_OUT)
def test_a_path_through_an_allowed_package_to_elsewhere_is_refused(target: str) -> None:
    refused(node(target), rf"optimizer\._target_={re.escape(target)}")


@pytest.mark.parametrize("target", ABSENT)
def test_a_target_that_is_no_class_or_function_is_refused(target: str) -> None:
    refused(node(target), rf"optimizer\._target_={re.escape(target)}: ")


def test_a_forbidden_module_is_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_forbidden_target_is_found_wherever_it_hides(place: dict[str, Any]) -> None:
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
def test_what_writes_downloads_or_starts_programs_is_refused_everywhere(target: str, place: str) -> None:
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
def test_each_kind_has_its_place(place: str, target: str) -> None:
    config = OmegaConf.create({})
    OmegaConf.update(config, place, {"_target_": target})
    refused(config, rf"{re.escape(place)}\._target_={re.escape(target)}: ")


KINDS = {
    *("atelier.tasks.task.Task", "atelier.data.tensors.TensorData", "atelier.runs.metrics.RunLogger"),
    *("lightning.pytorch.callbacks.callback.Callback", "lightning.pytorch.trainer.trainer.Trainer"),
    *("lightning.pytorch.strategies.strategy.Strategy", "lightning.pytorch.profilers.profiler.Profiler"),
    *("optuna.samplers._base.BaseSampler", "optuna.pruners._base.BasePruner"),
    *("torch.nn.modules.module.Module", "torch.optim.optimizer.Optimizer", "torch.optim.lr_scheduler.LRScheduler"),
}

PURE = [name for name in NAMED if name != "atelier.compose.features.trained_classifier"]


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
    assert {name for name in free if not name.startswith(tuple(f"{module}." for module in PURE))} == {
        "atelier.compose.features.trained_classifier"
    }


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text("import a_package_that_is_not_there")
    monkeypatch.setattr(atelier, "__path__", [*atelier.__path__, str(tmp_path)])
    refused(node("atelier.needs_more.Thing"), "needs the package 'a_package_that_is_not_there'")


# ---------------------------------------------------------------------- with what


def test_an_unknown_key_lists_those_that_there_are_the_nearest_first() -> None:
    config = node("torch.optim.Adam", wheight_decay=0.1)
    refused(config, r"optimizer\.wheight_decay: Adam has .*choose from: weight_decay, ")


@pytest.mark.parametrize(
    ("target", "key", "value", "taken"),
    [
        ("torch.optim.SGD", "lr", "fast", "a number"),
        ("torch.optim.SGD", "nesterov", "perhaps", "true or false"),
        ("torch.optim.SGD", "nesterov", 1, "true or false"),
        ("torch.nn.Linear", "in_features", 2.5, "a whole number"),
        ("torch.nn.Linear", "in_features", True, "a whole number"),
        ("torch.nn.Linear", "in_features", None, "a whole number"),
        ("torch.nn.Linear", "in_features", [3], "a whole number"),
        ("atelier.tasks.schedule.Schedule", "interval", "century", "step, epoch"),
        ("atelier.tasks.encodings.Angles", "outputs", 4, "a list"),
        ("atelier.networks.mlp.MLP", "hidden", [64, "many"], "a list, each item a whole number"),
        ("atelier.networks.mlp.MLP", "hidden", "many", "a list"),
        (
            "atelier.networks.conv_blocks.ConvBlocks",
            "blocks",
            ["many"],
            "a list, each item a whole number of 1 or more or a list",
        ),
        (
            "atelier.networks.conv_blocks.ConvBlocks",
            "blocks",
            [[16, 0.5]],
            "a list, each item a whole number of 1 or more or a list",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_what_is_taken(target: str, key: str, value: Any, taken: str) -> None:
    written = re.escape(typed(value))
    refused(node(target, **{key: value}), rf"optimizer\.{key}={written}: {target.rpartition('.')[2]} takes .*{taken}")


@pytest.mark.parametrize(
    ("target", "key", "value"),
    [
        ("torch.optim.SGD", "lr", 0.1),
        ("torch.optim.SGD", "lr", 1),
        ("torch.optim.Adam", "betas", [0.9, 0.99]),
        ("torch.nn.Linear", "in_features", "???"),
        ("atelier.networks.conv_blocks.ConvBlocks", "blocks", [16, [32, 32]]),
    ],
)
def test_a_value_of_the_right_kind_passes(target: str, key: str, value: Any) -> None:
    check(node(target, **{key: value}))


@pytest.mark.parametrize(
    ("key", "value"), [("devices", "auto"), ("devices", 2), ("limit_train_batches", 0.5), ("profiler", None)]
)
def test_a_value_of_the_right_kind_passes_for_the_trainer(key: str, value: Any) -> None:
    check(node("lightning.pytorch.Trainer", place="trainer", **{key: value}))


@pytest.mark.parametrize(
    "override", ["+data.bath_size=3", "data.batch_size=many", "data.shuffle=perhaps", "data.mean=grey"]
)
def test_the_options_that_all_data_sets_share_are_checked_too(compose: Compose, override: str) -> None:
    key = override.partition("data.")[2].partition("=")[0]
    refused(compose(override, "callbacks=none", "trainer.precision=32-true"), rf"data\.{key}[:=]")


@pytest.mark.parametrize("group", ["optimizer", "network", "scheduler", "encoding", "task", "data"])
def test_an_additional_key_is_refused_in_every_group(compose: Compose, group: str) -> None:
    config = compose("experiment=clock_angles", f"+{group}.nonsense=1", "callbacks=none", "trainer.precision=32-true")
    refused(config, rf"{group}\.nonsense: .*choose from: ")


def test_what_a_constructor_refuses_is_told_with_its_place() -> None:
    with pytest.raises(InputError, match=r"^SGD: Invalid learning rate: -1\.0$") as error:
        build(OmegaConf.create({"_target_": "torch.optim.SGD", "lr": -1.0}), params=[])
    assert type(error.value.__cause__) is ValueError
    with pytest.raises(InputError, match=r"^parts\.drop: dropout probability .*, but got 2$"):
        build(OmegaConf.create({"parts": {"drop": {"_target_": "torch.nn.Dropout", "p": 2}}}))


@pytest.mark.parametrize("error", [NotImplementedError("later"), KeyError("a"), AssertionError("b")])
def test_a_mistake_in_a_program_stays_what_it_is(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("torch.nn.Dropout.__init__", broken)
    with pytest.raises(type(error)) as found:
        build(OmegaConf.create({"_target_": "torch.nn.Dropout", "p": 0.5}))
    assert found.value is error


# ---------------------------------------------------------------------- every option of conf/

# Options that need a package which is not there, and groups that are checked elsewhere: by test_experiments, and with
# the callbacks.
OPTIONAL = [name for name in ("tensorboard", "wandb") if find_spec(name) is None]
ELSEWHERE = ("hydra", "paths", "study", "experiment", "callbacks")


def test_every_option_that_no_experiment_has_is_accepted(
    compose: Compose, conf: Path, context: Callable[[str, str], list[str]]
) -> None:
    """Those of all groups side by side: what is wrong in one is told by its key."""
    alone: dict[str, list[str]] = {}
    for file in sorted(conf.glob("*/*.yaml")):
        group, option = file.parent.name, file.stem
        if group in ELSEWHERE or option in OPTIONAL:
            continue
        given = context(group, option)
        experiment = conf / "experiment" / f"{given[0].removeprefix('experiment=')}.yaml" if given else None
        if experiment is None:
            alone.setdefault(group, []).append(f"{group}={option}")
        elif not (experiment.is_file() and f"override /{group}: {option}\n" in experiment.read_text()):
            check_targets(compose(*given, f"{group}={option}", "callbacks=none"))
    assert {"activation", "optimizer", "scheduler", "trainer"} <= alone.keys()
    for chosen in itertools.zip_longest(*alone.values()):
        check_targets(compose(*filter(None, chosen), "callbacks=none"))


def test_the_default_configuration_is_accepted(compose: Compose) -> None:
    check_targets(compose())


@pytest.mark.parametrize(
    ("older", "now"),
    [
        ("atelier.compose.features.Pixels", features.Pixels),
        ("atelier.compose.features.Inception", features.Inception),
        ("atelier.callbacks.samples.Samples", TrainingPictures),
        ("atelier.runs.wandb.Wandb", Wandb),
        ("atelier.runs.tensorboard.TensorBoard", TensorBoard),
    ],
)
def test_what_has_moved_is_found_under_the_name_that_older_runs_have(older: str, now: type) -> None:
    assert locate("somewhere", older) is now
