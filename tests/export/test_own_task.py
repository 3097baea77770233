"""A task of one's own says itself what `export` writes of it, in a project outside this repository too."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from atelier.new import make_project

Run = Callable[..., Any]
TASK = '''"""Regression: the number that an input stands for."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from atelier.tasks.task import Task


class Regressor(Task):
    export_outputs = ("price",)

    def loss(self, batch: Any) -> Tensor:
        return F.mse_loss(self(batch[0])[:, 0], batch[1].float())

    def forward(self, inputs: Tensor) -> Tensor:
        return self.network(inputs)

    def training_step(self, batch: Any, batch_index: int) -> Tensor:
        return self.loss(batch)

    def validation_step(self, batch: Any, batch_index: int) -> None:
        self.log("val/loss", self.loss(batch))

    def test_step(self, batch: Any, batch_index: int) -> None:
        self.log("test/loss", self.loss(batch))


class Unnamed(Regressor):
    export_outputs = Task.export_outputs


class Two(Regressor):
    def export_step(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return self(inputs), self(inputs)


class Nothing(Regressor):
    def export_step(self, inputs: Tensor) -> Any:
        return {"price": self(inputs)}
'''
OPTION = """_target_: own_exports.regressor.Regressor
metric: val/loss
mode: min
network: ${network}
optimizer: ${optimizer}
scheduler: ${scheduler}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("projects") / "own_exports"
    before = list(sys.path)
    assert make_project([str(folder)]) is None
    (folder / "src" / folder.name / "regressor.py").write_text(TASK)
    (folder / "conf" / "task").mkdir()
    (folder / "conf" / "task" / "regressor.yaml").write_text(OPTION)
    yield folder
    sys.path[:] = before
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def run(project: Path, run_verb: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    logs = tmp_path_factory.mktemp("logs")

    def typed(verb: str, *words: str) -> Any:
        return run_verb(verb, *words, logs=logs, environment={"ATELIER_PROJECT": str(project)})

    return typed


@pytest.fixture(scope="module")
def trained(run: Run) -> Path:
    few = ["network.hidden=[8]", "network.num_classes=1", "trainer=cpu", "debug=fast", "callbacks=none"]
    outcome = run("train", "data=digits", "task=regressor", *few)
    assert outcome.code == 0, outcome.err
    return outcome.folder


@pytest.mark.parametrize("format", ["torch", "onnx"])
def test_an_output_has_the_name_that_its_task_gives(run: Run, trained: Path, format: str, tmp_path: Path) -> None:
    file = tmp_path / ("price.pt2" if format == "torch" else "price.onnx")
    outcome = run("export", f"run={trained}", f"format={format}", f"output={file}")
    assert (outcome.code, outcome.err) == (0, "")
    assert "out: price float32 (N, 1)" in " ".join(outcome.out.split())
    inputs = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    if format == "torch":
        (found,) = torch.export.load(file).module()(inputs)
        assert found.shape == (3, 1)
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        assert session.run(["price"], {"inputs": inputs.numpy()})[0].shape == (3, 1)


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("Unnamed", 0, "out: outputs float32 (N, 1)"),
        ("Two", 2, "Two gives 2 outputs for its inputs; name as many in Two.export_outputs, not ['price']"),
        ("Nothing", 2, "Nothing gives no tensor for its inputs, so it cannot be exported; see Nothing.export_step"),
    ],
)
def test_what_the_task_does_not_say_is_told(
    run: Run, trained: Path, tmp_path: Path, name: str, code: int, told: str
) -> None:
    target = f"task._target_=own_exports.regressor.{name}"
    outcome = run("export", f"run={trained}", "format=safetensors", target, f"output={tmp_path / 'a.safetensors'}")
    assert outcome.code == code
    assert told in " ".join((outcome.out + outcome.err).split())
