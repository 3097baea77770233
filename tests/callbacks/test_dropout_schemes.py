"""Three ways to use dropout at test time, against loops that keep every output of every mask."""

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from atelier.callbacks.dropout_schemes import DropoutSchemes, dropping, errors, seeded
from atelier.compose.targets import make, plain
from atelier.errors import InputError

Run = Callable[..., Any]
NONE_OF_TORCHS = (
    "callbacks.dropout_schemes: the network {} has no dropout of torch's;"
    " give network.dropout=0.5 (scratch_mlp has only its own)"
)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Dropout(0.5), nn.Linear(40, 3)).eval()


def samples(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 6, generator=generator), torch.randint(3, (count,), generator=generator)


def outputs(made: nn.Sequential, inputs: Tensor, masks: int) -> list[Tensor]:
    """Logits for each of so many masks, drawn in torch's own way."""
    kept = []
    for _ in range(masks):
        hidden = made[:3](inputs)
        kept.append(made[4](nn.functional.dropout(hidden, 0.5, training=True)))
    return kept


def test_errors_are_those_of_the_averages_over_all_masks_so_far() -> None:
    made, (inputs, classes) = network(), samples(200)
    with torch.no_grad():
        torch.manual_seed(5)
        found = errors(made, inputs, classes, [1, 2, 7])
        torch.manual_seed(5)
        kept = outputs(made, inputs, 7)
    for row, number in zip(found.tolist(), [1, 2, 7], strict=True):
        before = torch.stack(kept[:number]).mean(0).argmax(1)
        after = torch.stack([one.softmax(1) for one in kept[:number]]).mean(0).argmax(1)
        assert row == [0, (before != classes).sum(), (after != classes).sum()]
    assert len(set(found[:, 1].tolist())) > 1, "the number of masks made no difference"


class Mirrored(nn.Module):
    """As a classifier with task.mirrored=true tests."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()
        self.network[3].p = 1e-9  # drops nothing, so that the schemes differ in nothing

    def forward(self, inputs: Tensor) -> Tensor:
        return (self.network(inputs) + self.network(inputs.flip(-1))) / 2


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_the_schemes_read_an_image_as_the_test_does(seed: int) -> None:
    task, (inputs, classes) = Mirrored().eval(), samples(200)
    precision = SimpleNamespace(test_step_context=nullcontext)
    callback = DropoutSchemes([1, 3], seed=seed)
    trainer = SimpleNamespace(world_size=1, global_rank=0, precision_plugin=precision)
    with torch.no_grad():
        outputs = {"logits": task(inputs), "classes": classes}
        callback.on_test_batch_end(trainer, task, outputs, (inputs, classes), 0)  # type: ignore[arg-type]
    wrong = (outputs["logits"].argmax(1) != classes).sum().item()
    assert callback.wrong is not None
    assert callback.wrong.tolist() == [[wrong] * 3] * 2


def test_the_mean_before_the_softmax_of_many_masks_is_that_of_scaled_weights() -> None:
    """What follows the dropout is linear, so that the mean over all masks is the network without any."""
    made, (inputs, _) = network(), samples(50)
    with torch.no_grad(), dropping(made):
        mean = torch.stack([made(inputs) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, made(inputs), atol=0.03, rtol=0)


def test_only_dropout_is_as_in_training() -> None:
    made = network()
    with dropping(made):
        assert [layer.training for layer in made] == [False, False, False, True, False]
    assert not any(layer.training for layer in made)


def test_a_block_of_a_transformer_drops_all_that_it_drops_in_training() -> None:
    """Its quick path of evaluation without gradients would skip the dropout, and its attention has no dropout layer."""
    block = nn.TransformerEncoderLayer(4, 2, 8, 0.5, nn.ReLU(), batch_first=True, norm_first=True).eval()
    inputs = samples(20)[0][:, :4].reshape(4, 5, 4)
    with torch.no_grad():
        torch.manual_seed(3)
        expected = block.train()(inputs)
        block.eval()
        torch.manual_seed(3)
        with dropping(nn.Sequential(block)):
            assert torch.equal(block(inputs), expected)
        assert torch.equal(block(inputs), block(inputs)), "afterwards nothing is dropped"
    assert not any(layer.training for layer in block.modules())


def test_drawing_masks_leaves_the_random_numbers_as_they_were() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with seeded(9, torch.device("cpu")):
        torch.rand(5)
    assert torch.equal(torch.rand(2), expected)


# ---------------------------------------------------------------------- in a run


def test_the_files_scaled_weights_are_the_tested_network(trained_digits: Any) -> None:
    rows = trained_digits.numbers("dropout_schemes")
    assert [row["masks"] for row in rows] == ["1", "2", "5"]
    for row in rows:
        assert float(row["scaled weights"]) == pytest.approx(1 - trained_digits.manifest["test"]["accuracy"], abs=1e-14)


def test_the_file_is_the_schemes_over_all_batches(trained_digits: Any) -> None:
    """With the seeds of the three batches of 150, 150 and 60."""
    inputs, (_, classes) = trained_digits.inputs("test"), trained_digits.stored("test")
    made, wrong = trained_digits.task("best").network, torch.zeros(3, 3)
    for index, (part, true) in enumerate(zip(inputs.split(150), classes.split(150), strict=True)):
        torch.manual_seed(index)
        with torch.no_grad():
            wrong += errors(made, part, true, [1, 2, 5])
    for row, (_, before, after) in zip(trained_digits.numbers("dropout_schemes"), wrong.tolist(), strict=True):
        assert float(row["mean before softmax"]) == pytest.approx(before / len(classes), abs=1e-14)
        assert float(row["mean after softmax"]) == pytest.approx(after / len(classes), abs=1e-14)


def test_the_accuracies_of_the_schemes_are_test_metrics(trained_digits: Any) -> None:
    tested = trained_digits.manifest["test"]
    for row in trained_digits.numbers("dropout_schemes"):
        for scheme, name in (("mean before softmax", "before_softmax"), ("mean after softmax", "after_softmax")):
            assert tested[f"{name}/{row['masks']}"] == pytest.approx(1 - float(row[scheme]), abs=1e-14)


def test_a_network_without_dropout_is_told_before_the_training(run_verb: Run) -> None:
    outcome = run_verb("train", "trainer=cpu", "callbacks=dropout_schemes")
    assert outcome.code == 2
    assert outcome.err == f"{NONE_OF_TORCHS.format('MLP')}\n"


def test_a_dropout_that_is_not_torchs_is_told(compose: Callable[..., Any]) -> None:
    network = make("network", plain(compose("network=scratch_mlp", "network.dropout=0.5").network))
    trainer: Any = None
    with pytest.raises(InputError) as told:
        DropoutSchemes([1], seed=0).setup(trainer, SimpleNamespace(test_confusion=None, network=network), "fit")
    assert str(told.value) == NONE_OF_TORCHS.format("ScratchMLP")


def test_a_task_that_is_no_classifier_is_told() -> None:
    trainer: Any = None
    with pytest.raises(InputError, match=r"callbacks\.dropout_schemes: only for classifiers"):
        DropoutSchemes([1], seed=0).on_test_batch_end(trainer, None, {"error": torch.zeros(2)}, None, 0)


def test_a_task_that_is_no_classifier_is_told_before_the_training(run_verb: Run, tiny: list[str]) -> None:
    outcome = run_verb("train", *tiny, "network.dropout=0.5", "callbacks=dropout_schemes")
    assert outcome.code == 2
    assert outcome.err == "callbacks.dropout_schemes: only for classifiers, which count in test_confusion\n"
    assert "epoch" not in outcome.out


def test_all_schemes_are_compared_in_the_precision_of_the_test(run_verb: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bf16 and 32 bits, the same network may differ on more images than the schemes do."""
    heard: list[bool] = []

    def errors_heard(*given: Any) -> torch.Tensor:
        heard.append(torch.is_autocast_enabled("cpu"))
        return errors(*given)

    monkeypatch.setattr("atelier.callbacks.dropout_schemes.errors", errors_heard)
    dropped = ["network.dropout=0.5", "callbacks=dropout_schemes", "callbacks.dropout_schemes.masks=[1]"]
    short = ["trainer=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "network.hidden=[4]"]
    for precision, mixed in (("bf16-mixed", True), ("32-true", False)):
        assert run_verb("train", *short, *dropped, f"trainer.precision={precision}").code == 0
        assert set(heard) == {mixed}
        heard.clear()
