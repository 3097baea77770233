"""What makes runs repeats of one setting: over every key that can be asked for, and over what has split rows before."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from atelier.callbacks.filters import Filters
from atelier.callbacks.watcher import Watcher
from atelier.runs.setting import ASIDE, LATER, REPEATS, is_aside, setting_hash, setting_of

Compose = Callable[..., DictConfig]
NODES = ("callbacks", "sweep.swept")  # keys that no word can stand for


# ---------------------------------------------------------------------- every key


@pytest.fixture(scope="module")
def everything(conf: Path, compose: Compose) -> list[DictConfig]:
    """Configurations in which every option of every group occurs, whether they fit together or not."""
    groups = {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in conf.iterdir()}
    left_out = ("hydra", "local", "experiment", "study")
    groups = {name: found for name, found in groups.items() if found and name not in left_out}
    callbacks = groups.pop("callbacks")
    longest = max(map(len, groups.values()))
    configs = []
    for turn in range(longest):
        chosen = [f"{name}={options[turn % len(options)]}" for name, options in groups.items()]
        configs.append(compose(*chosen, f"callbacks=[{callbacks[turn % len(callbacks)]}]"))
    configs.append(compose(f"callbacks=[{','.join(callbacks)}]"))
    return configs


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from leaves(child, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def test_every_key_counts_but_repeats_watching_callbacks_and_those_on_the_one_list(everything: Any) -> None:
    """Each value is replaced by its key's own name: what counts is what is found again."""
    seen: set[str] = set()
    for config in everything:
        content = OmegaConf.to_container(config, resolve=False)
        assert isinstance(content, dict)
        keys = [key for key, _ in leaves(content) if not key.endswith("._target_") and key not in NODES]
        named = OmegaConf.create(content)
        for key in keys:
            OmegaConf.update(named, key, key, force_add=True)
        found = {key: value for key, value in leaves(setting_of(named)) if not key.endswith("._target_")}
        del found["callbacks"]
        aside = {key for key in keys if is_aside(key) or key.startswith("callbacks.")}
        assert found.keys() == set(keys) - aside, "missing, or there though it should not be"
        assert {key for key, value in found.items() if value != key} == REPEATS.keys() & found.keys()
        seen |= set(keys)
    assert len(seen) > 200, "the groups of conf/ were not found"
    unknown = [key for key in ASIDE if not any(is_under(one, key) for one in seen)]
    others = ["trainer.benchmark", "trainer.detect_anomaly", "task.features.run"]
    assert unknown == others, "Lightning's own, which conf/ leaves at rest, and features under a second name"


def is_under(key: str, above: str) -> bool:
    return f"{key}.".startswith(f"{above}.")


# ---------------------------------------------------------------------- what split rows


def hashes(compose: Compose, *more: str) -> tuple[str, str]:
    """Of the configuration of default and of the same with more; what is no group's option is set without composing."""
    options = [one for one in more if "." not in one.partition("=")[0] and "=" in one and "seed" not in one]
    config = compose(*options)
    for key, _, value in (one.partition("=") for one in more if one not in options):
        OmegaConf.update(config, key, yaml.safe_load(value), force_add=True)
    return setting_hash(compose()), setting_hash(config)


@pytest.mark.parametrize(
    "more",
    [
        ["trainer=cpu"],
        ["trainer.devices=[1]"],
        ["trainer.strategy=ddp"],
        ["trainer.precision=bf16-mixed"],
        ["data.eval_batch_size=100"],
        ["data.rebuild=true"],
        ["data.resident=true"],
        ["trainer.log_every_n_steps=1"],
        ["trainer.profiler=simple"],
        ["task.clean_train_accuracy=true"],
        ["+callbacks=filters"],
        ["callbacks=none"],
        ["callbacks.extremes.count=3"],
        ["callbacks.extremes=null"],
        ["logger=tensorboard"],
        ["paths.data=/elsewhere", "paths.logs=/there", "paths.run=/here"],
        ["seed=3", "data.fold=2"],
    ],
    ids=" ".join,
)
def test_it_is_the_same_setting(compose: Compose, more: list[str]) -> None:
    default, other = hashes(compose, *more)
    assert other == default


@pytest.mark.parametrize(
    "more",
    [
        ["trainer.devices=2"],
        ["trainer.devices=[0,1]"],
        ["trainer.num_nodes=2"],
        ["trainer.accumulate_grad_batches=2"],
        ["data.seed=0"],
        ["data.folds=3"],
        ["data.folder=/elsewhere"],
        ["data.source=fake"],
        ["task.label_smoothing=0.1"],
        ["callbacks.stop={_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss}"],
        ["callbacks.mean={_target_: lightning.pytorch.callbacks.StochasticWeightAveraging, swa_lrs: 0.1}"],
    ],
    ids=" ".join,
)
def test_it_is_another_setting(compose: Compose, more: list[str]) -> None:
    default, other = hashes(compose, *more)
    assert other != default


def test_values_are_compared_and_not_how_they_were_typed(compose: Compose) -> None:
    one = compose("optimizer.lr=1e-1", "network.hidden=[8,4]", "data.augment=True")
    assert setting_hash(one) == setting_hash(compose("optimizer.lr=0.1", "network.hidden=[8, 4]", "data.augment=true"))


@pytest.mark.parametrize("variable", ["DATA_DIR", "LOG_DIR"])
@pytest.mark.parametrize("what", ["experiment=dogs_vs_cats", "experiment=cats_gan", "experiment=mnist_vae"], ids=str)
def test_where_things_lie_makes_no_setting(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, variable: str, what: str
) -> None:
    config = compose(what)
    found = set()
    for place in ("/here", "/there"):
        monkeypatch.setenv(variable, place)
        found.add(setting_hash(config))
    assert len(found) == 1


def test_a_folders_classes_are_counted_where_it_lies(compose: Compose, tmp_path: Path) -> None:
    """A data set of one's own: its number of classes is made from a path, and a placeholder is no folder."""
    found = []
    for place, classes in (("a", "xy"), ("b", "xy"), ("c", "xyz")):
        for name in classes:
            (tmp_path / place / "pets" / name).mkdir(parents=True)
            Image.new("L", (1, 1)).save(tmp_path / place / "pets" / name / "0.png")
        config = compose("data=image_folder", "data.images=${paths.data}/pets")
        config.paths.data = str(tmp_path / place)
        found.append(setting_hash(config))
        assert setting_of(config)["data"]["num_classes"] == len(classes)
    assert found[0] == found[1] != found[2]


def test_what_follows_the_seed_does_not_count_but_a_seed_of_its_own_does(compose: Compose) -> None:
    def pairs(**values: Any) -> str:
        config = compose("data=digit_pairs_digits", "data.folds=3")
        for key, value in values.items():
            OmegaConf.update(config, key.replace("data_", "data."), value)
        return setting_hash(config)

    assert pairs() == pairs(seed=1) == pairs(data_fold=2, data_draw="${seed}", seed=4) == pairs(data_draw=9)
    assert len({pairs(), pairs(data_seed=0), pairs(data_seed=1), pairs(data_split_seed="${seed}")}) == 4


# ---------------------------------------------------------------------- callbacks


class Louder(Filters):
    """Somebody's own, made from one that watches."""


class Own(Watcher):
    """Somebody's own."""


class Changing(Callback):
    """One that says nothing of itself."""


@pytest.mark.parametrize(("kind", "same"), [(Louder, True), (Own, True), (Changing, False)])
def test_a_callback_says_itself_whether_it_only_watches(compose: Compose, kind: type, same: bool) -> None:
    config = compose()
    before = setting_hash(config)
    OmegaConf.update(config, "callbacks.own", {"_target_": f"{__name__}.{kind.__name__}", "x": 1}, force_add=True)
    assert (setting_hash(config) == before) is same


def test_the_callbacks_that_are_said_to_watch_do_no_more(compose: Compose, conf: Path) -> None:
    """Those in the tables of docs/callbacks.md; one of one's own may change the training."""
    page = (conf.parent / "docs" / "callbacks.md").read_text()
    names = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert len(names) > 10
    assert setting_of(compose(f"callbacks=[{','.join(names)}]"))["callbacks"] == {}


# ---------------------------------------------------------------------- what a sweep varies


@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("trainer.precision", ["trainer.precision=bf16-mixed"]),
        ("trainer", ["trainer=cpu"]),
        ("+callbacks", ["+callbacks=filters"]),
        ("callbacks.extremes.count", ["callbacks.extremes.count=3"]),
        ("data.resident", ["data.resident=true"]),
    ],
    ids=str,
)
def test_what_a_sweep_varies_is_a_row_for_each(compose: Compose, key: str, more: list[str]) -> None:
    swept = f"sweep.swept=['{key}']"
    default, other = hashes(compose, *more)
    assert default == other
    varied = hashes(compose, swept)[1], hashes(compose, *more, swept)[1]
    assert varied[0] != varied[1] == hashes(compose, *more, swept, "seed=1", "data.eval_batch_size=7")[1]


@pytest.mark.parametrize("swept", [["optimizer", "optimizer.lr"], ["data"], ["task", "network"]], ids=str)
def test_a_sweep_over_what_counts_anyway_gives_the_hash_of_the_same_run_by_hand(
    compose: Compose, swept: list[str]
) -> None:
    """In data and task stand keys that are aside, and stay so where only the group was varied."""
    config = compose()
    by_hand = setting_hash(config)
    OmegaConf.update(config, "sweep", {"swept": swept, "folder": "/x/y"})
    assert setting_hash(config) == by_hand


@pytest.mark.parametrize(
    ("key", "before", "now"), [("trainer.new", None, 5), ("task.new", 0.0, 0.2), ("new", False, True)]
)
def test_a_new_key_does_not_count_with_the_value_that_it_has_in_earlier_runs(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, key: str, before: Any, now: Any
) -> None:
    monkeypatch.setitem(LATER, key, before)
    earlier, config = setting_hash(compose()), compose()
    OmegaConf.update(config, key, before, force_add=True)
    assert setting_hash(config) == earlier
    OmegaConf.update(config, key, now, force_add=True)
    assert setting_hash(config) != earlier


@pytest.mark.parametrize(("what", "had"), [("cats_gan", True), ("digits_vae", False), ("mnist_mlp", False)])
def test_a_key_that_one_target_had_before_the_others_still_counts_there(compose: Compose, what: str, had: bool) -> None:
    """A GAN had `task.average` in its earliest runs."""
    setting = setting_of(compose(f"experiment={what}"))
    assert ("average" in setting["task"]) is had
    assert "patience" not in setting["trainer"]
