"""Another split than that of the weights: refused by a test of them, told by a training that starts from them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from atelier.start.split import compare

Run = Callable[..., Any]
FAST = ["optimizer=sgd", "trainer.max_epochs=1", "trainer.limit_train_batches=1", "test=false"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("data.validation_share=0.3", "data.validation_share=0.3: the run was trained with 0.2, and another split may"),
        ("data.split_seed=3", "data.split_seed=3: the run was trained with 0, and another split may"),
        ("data.folds=5", "data.folds=5: the run was trained with null, and another split may"),
    ],
)
def test_weights_are_not_tested_with_another_split(
    run_verb: Run, small: list[str], source: Any, given: str, told: str
) -> None:
    checkpoint = source.folder / "checkpoints" / "best.ckpt"
    refused = run_verb("train", *small, "train=false", f"checkpoint={checkpoint}", given)
    assert refused.code == 2
    assert refused.err.startswith(told)


def test_weights_are_tested_with_their_split_or_on_other_data(run_verb: Run, small: list[str], source: Any) -> None:
    checkpoint = f"checkpoint={source.folder / 'checkpoints' / 'best.ckpt'}"
    other = ["data=random_images", "data.shape=[1,8,8]", "data.num_classes=10", "data.num_images=300"]
    for given in (["data.train_size=100"], [*other, "data.split_seed=3"]):
        outcome = run_verb("train", *small, "train=false", checkpoint, *given)
        assert outcome.code == 0, outcome.err
        assert outcome.manifest["test"]


@pytest.mark.parametrize(("given", "told"), [("data.split_seed=3", True), ("data.train_size=100", False)])
def test_a_training_that_starts_from_weights_of_another_split_says_so(
    run_verb: Run, small: list[str], source: Any, given: str, told: bool
) -> None:
    outcome = run_verb("train", *small, *FAST, f"start.weights={source.folder}", given)
    assert outcome.code == 0, outcome.err
    path = Path(source.folder, "checkpoints", "best.ckpt")
    assert (f"Beware: start.weights={path}: data.split_seed=3: the run was trained with 0, " in outcome.out) is told


@pytest.mark.parametrize(
    ("trained", "same"),
    [
        *[({"images": images}, True) for images in ("pets", "./pets", str(Path.cwd() / "pets"))],
        *[({key: "other"}, False) for key in ("_target_", "name", "source", "images")],
        ({"images": None}, False),
    ],
    ids=str,
)
def test_splits_are_compared_of_the_same_data_and_by_the_keys_of_the_earlier_run(
    monkeypatch: pytest.MonkeyPatch, trained: dict[str, Any], same: bool
) -> None:
    compared = []
    owner = SimpleNamespace(check_split=lambda *options: compared.append(options))
    monkeypatch.setattr("atelier.start.split.locate", lambda target: owner)
    now = {"_target_": "a.Data", "name": "pets", "source": "real", "images": "pets", "folds": 5}
    then = {**now, **trained}
    del then["folds"]
    compare(then, {**now, "later": 1})
    assert compared == ([(then, {key: value for key, value in now.items() if key != "folds"})] if same else [])
