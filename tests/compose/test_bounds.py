"""What no leaf and no library takes is refused by one check of the configuration, by key and value."""

import inspect
import re
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from atelier.arguments import WrongValue, comparison, signature_of
from atelier.compose.bounds import STATED
from atelier.compose.targets import check, locate, plain

Compose = Callable[..., DictConfig]
CONF = Path(__file__).parents[2] / "conf"
TARGETS = sorted(
    {name for file in CONF.rglob("*.yaml") for name in re.findall(r"_target_: (atelier\S+)", file.read_text())}
)

# {option: {key: values that are refused}}; each with another experiment where the default one has no such thing
REFUSED = {
    "network": {"hidden": [[-5], [64, 0]], "dropout": [2, -0.1, "much"], "batch_norm": ["torch"]},
    "network=fast_cnn": {"stem": [0], "widths": [[0], 8]},
    "network=resnet": {"width": [0], "depth": [0]},
    "network=conv_blocks": {"blocks": [[[8, 0]], [0]]},
    "network=lstm": {"layers": [0], "symbols": ["bits"], "readout": ["first"], "memory": [[1, 100], [2]]},
    "data": {
        "batch_size": [0, -1, 1.5],
        "eval_batch_size": [0],
        "validation_share": [1, -0.1],
        "folds": [1],
        "fold": [-1],
        "train_size": [0],
        "source": ["faked"],
        "resident": ["gpu"],
        "std": [0],
        "augmentation.shift": [-1],
        "augmentation.cutout": [-1],
    },
    "data=clocks": {"num_images": [0, 720, 1440, 2161, 18_001, -2160], "image_size": [31], "augmentation.scale": [-1]},
    "data=palindromes": {"length": [1], "size": [0], "epoch_size": [0], "eval_size": [0]},
    "data=digit_pairs": {"draw": [-1], "train_pairs": [0], "validation_pairs": [-1], "test_pairs": [0], "pool": [0]},
    "data=disk": {"train_points": [0], "test_points": [0], "draw": [-1], "shape": [[3]], "num_classes": [3]},
    "data=image_folder": {"test_share": [2, -0.1], "shape": [[2, 8, 8], [1, 8], [1, 0, 8]]},
    "data=mnist_rows": {"augment": [True], "shape": [[28], [0, 784]], "permuted": [1]},
    "data=random_images": {"num_images": [9], "num_classes": [0]},
    "task": {"average": [1, -0.1, "much"], "label_smoothing": [1, -0.1], "keep": ["worst"], "mode": ["most"]},
    "task=gan": {
        "loss": ["mse"],
        "discriminator_steps": [0],
        "average": [1, -0.1],
        "penalty_weight": [-1],
        "latent_size": [0],
    },
    "task=vae": {"likelihood": ["poisson"], "beta": [-1], "warmup_epochs": [-1], "importance_samples": [-1]},
    "initializer=normal": {"weight.std": [-1, -0.05]},
    "initializer=deepboi": {"weight.gain": [-1]},
    "initializer=orthogonal": {"weight.gain": [-0.1]},
    "penalty=l1": {"strength": [-1]},
    "optimizer": {"lr": [-1, "fast"], "betas": [[2, 3], [0.9]], "weight_decay": [-1], "eps": [-1]},
    "optimizer=sgd_momentum": {"momentum": [-1, 1, 1.5], "nesterov": [1], "dampening": [-0.1, 2]},
    "optimizer=rmsprop": {"alpha": [-0.1, 1, 1.5], "momentum": [1]},
    "trainer": {
        "max_epochs": [0, -5, 2.5],
        "max_steps": [0],
        "limit_train_batches": [0, 1.5, -1],
        "limit_val_batches": [-1, 1.5],
        "val_check_interval": [0, 1.5],
        "check_val_every_n_epoch": [0],
        "accumulate_grad_batches": [0],
        "gradient_clip_val": [0, -1],
        "log_every_n_steps": [-1],
        "devices": [0, [-1]],
        "num_nodes": [0],
        "precision": ["8", 8, "half", True],
        "profiler": ["foo"],
        "patience": [0, -1, 2.5, "some"],
        "deterministic": ["perhaps"],
    },
    "scheduler=step": {"scheduler.step_size": [0], "scheduler.gamma": [0, -0.1]},
    "scheduler=exponential": {"scheduler.gamma": [-1]},
    "scheduler=one_cycle": {f"scheduler.{key}": [0, -3] for key in ("div_factor", "final_div_factor")},
    "scheduler=plateau": {"scheduler.threshold": [-1], "scheduler.min_lr": [-1], "scheduler.factor": [1]},
    "features=pixels": {"side": [0, 0.5]},
    "mixing=mixup": {"alpha": [0, -1]},
    "mixing=cutmix": {"alpha": [0, -1]},
    "scheduler=warmup_cosine": {"scheduler.warmup": [1.5]},
    "callbacks=deconvolution": {"deconvolution.count": [0]},
    "callbacks=extremes": {"extremes.count": [0, -3]},
    "callbacks=filters": {"filters.count": [0]},
    "callbacks=mistakes": {"mistakes.count": [0]},
    "callbacks=training_pictures": {"training_pictures.count": [0]},
    "callbacks=latent_pictures": {f"latent_pictures.{key}": [0, -3] for key in ("count", "every", "frames")},
    "callbacks=reconstructions": {f"reconstructions.{key}": [0, -3] for key in ("count", "every", "frames")},
    "callbacks=decision_regions": {"decision_regions.frames": [1]},
    "callbacks=dropout_schemes": {"dropout_schemes.masks": [[], [0], [1, -2]]},
    "callbacks=made_pictures": {"made_pictures.kinds": [["gird"]], "made_pictures.seed": [-1]},
}


@pytest.fixture(scope="module")
def composed() -> dict[str, DictConfig]:
    """{option: the node that it composes to}, filled as it is asked for."""
    return {}


@pytest.mark.parametrize("option", REFUSED)
def test_a_value_out_of_bounds_is_refused_by_key_and_value(
    compose: Compose, context: Callable[[str, str], list[str]], option: str
) -> None:
    group, _, name = option.partition("=")
    typed = [*context(group, name), option] if name else []
    config = compose(*typed, *([] if group == "callbacks" else ["callbacks=none"]))
    node = plain(config)[group]
    check(OmegaConf.create({group: node}))
    for key, values in REFUSED[option].items():
        for value in values:
            changed = OmegaConf.create({group: node})
            OmegaConf.update(changed, f"{group}.{key}", value, force_add=True)
            with pytest.raises(WrongValue) as error:
                check(changed)
            assert (error.value.key, error.value.value) == (f"{group}.{key}", value)
            assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("precision", ["auto", 32, "32", "16", "64", "bf16", "bf16-mixed", None])
def test_a_precision_that_lightning_takes_is_taken(compose: Compose, precision: str | int | None) -> None:
    node = {**plain(compose("callbacks=none"))["trainer"], "precision": precision}
    check(OmegaConf.create({"trainer": node}))


@pytest.mark.parametrize(
    ("experiment", "override", "key"),
    [
        ("digits_gan", "trainer.gradient_clip_val=0", "trainer.gradient_clip_val"),
        ("digits_vae", "task.latent_size=0", "task.latent_size"),
        ("digits_vae", "optimizer.lr=-1", "optimizer.lr"),
        ("digits_vae", "encoder.hidden=[0]", "encoder.hidden"),
        ("digits_vae", "features.side=0", "features.side"),
        ("disk_scratch", "initializer=normal initializer.weight.std=-1", "initializer.weight.std"),
        ("fashion_best", "mixing=mixup mixing.alpha=0", "mixing.alpha"),
    ],
)
def test_a_value_that_several_places_share_is_told_where_it_was_written(
    compose: Compose, experiment: str, override: str, key: str
) -> None:
    config = compose(f"experiment={experiment}", "features=pixels", *override.split())
    with pytest.raises(WrongValue) as error:
        check(config)
    assert error.value.key == key


def test_every_annotation_of_what_is_built_is_one_that_can_be_compared() -> None:
    """A hint that pydantic cannot read lets everything pass: none of ours may be such a one."""
    assert len(TARGETS) > 50
    for target in TARGETS:
        parameters, hints, _ = signature_of(locate("", target))
        assert [name for name in parameters if name not in hints and name != "self"] == [], target
        assert [name for name, hint in hints.items() if hint is not Any and comparison(hint) is None] == [], target


@pytest.mark.parametrize("name", STATED)
def test_every_bound_that_is_stated_for_a_library_is_of_an_argument_that_it_has(name: str) -> None:
    module, _, cls = name.rpartition(".")
    owner = getattr(__import__(module, fromlist=[cls]), cls)
    owners = [owner, *(owner.__subclasses__() if isinstance(owner, type) else [])]
    known = {key for one in owners for key in inspect.signature(one).parameters}
    assert STATED[name].keys() <= known
    assert all(comparison(hint) for hint in typing.cast(dict[str, Any], STATED[name]).values())
