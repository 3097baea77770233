"""Nothing in scratch/ reaches autograd: by its text, and by training while autograd is taken away."""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from atelier.scratch.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from atelier.scratch.batch_norm import BatchNorm
from atelier.scratch.conv2d import Conv2d
from atelier.scratch.dropout import Dropout
from atelier.scratch.flatten import Flatten
from atelier.scratch.linear import Linear
from atelier.scratch.losses import MSE, CrossEntropy, Loss, one_hot
from atelier.scratch.max_pool2d import MaxPool2d
from atelier.scratch.optimizers import SGD, Adagrad, Adam, Momentum, Optimizer, RMSprop
from atelier.scratch.sequential import Sequential
from atelier.scratch.softmax import Softmax

SCRATCH = Path(__file__).parents[2] / "src" / "atelier" / "scratch"
FILES = sorted(SCRATCH.rglob("*.py"))
IMPORTS = {"math", "typing", "collections.abc", "torch", "atelier.errors"}
AUTOGRAD = {
    "requires_grad",
    "requires_grad_",
    "grad_fn",
    "detach",
    "detach_",
    "data",
    "enable_grad",
    "set_grad_enabled",
}
# The layers and losses that torch has ready-made; tanh is arithmetic, and Tensor.unfold is a view of windows.
READY_MADE = {name for name, item in vars(F).items() if callable(item) and name[0] != "_"} - {"tanh", "unfold"}


def attributes(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Every `owner.name` as ("owner", "name")."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node.value), node.attr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_imports_arithmetic_only(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
            if node.module == "torch":
                assert [alias.name for alias in node.names] == ["Tensor"]
        else:
            continue
        for name in names:
            assert name in IMPORTS or name.startswith("atelier.scratch"), name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_names_nothing_of_autograd_or_ready_made(file: Path) -> None:
    for owner, name in attributes(ast.parse(file.read_text())):
        assert name not in AUTOGRAD, f"{owner}.{name}"
        assert not (name == "backward" and owner not in ("layer", "super()")), f"{owner}.{name}"
        if owner == "torch":
            assert not isinstance(getattr(torch, name), ModuleType), f"torch.{name}"
            assert not name.startswith("_"), f"torch.{name}"
        if owner != "self":
            assert name not in READY_MADE, f"{owner}.{name}"


def test_no_file_looks_names_up_by_text() -> None:
    for file in FILES:
        called = {node.func.id for node in ast.walk(ast.parse(file.read_text())) if is_plain_call(node)}
        assert not called & {"getattr", "__import__", "eval", "exec", "globals"}, file


def is_plain_call(node: ast.AST) -> Any:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


# ---------------------------------------------------------------------- as it runs


def everything() -> Sequential:
    """A network with every layer, for images (N, 1, 8, 8) of three classes."""
    return Sequential(
        *(Conv2d(1, 4, 3, padding=1), BatchNorm(4), ReLU(), MaxPool2d(2), Flatten()),
        *(Linear(64, 16), BatchNorm(16), Tanh(), Dropout(0.1), Linear(16, 16), LeakyReLU()),
        *(Linear(16, 16), Sigmoid(), Linear(16, 3), Softmax()),
    )


def train(network: Sequential, loss: Loss, optimizer: Optimizer, steps: int = 3) -> None:
    torch.manual_seed(0)
    for _ in range(steps):
        inputs, target = torch.randn(12, 1, 8, 8), one_hot(torch.randint(3, (12,)), 3)
        loss.forward(network.forward(inputs), target)
        network.backward(loss.backward())
        optimizer.step()


def tensors(item: Any) -> Iterator[Tensor]:
    """Every tensor that an object holds, at any depth."""
    if isinstance(item, Tensor):
        yield item
    elif isinstance(item, dict):
        yield from (tensor for value in item.values() for tensor in tensors(value))
    elif isinstance(item, (list, tuple)):
        yield from (tensor for value in item for tensor in tensors(value))
    elif hasattr(item, "__dict__"):
        yield from tensors(vars(item))


@pytest.mark.parametrize("loss", [MSE(), CrossEntropy()], ids=["mse", "cross_entropy"])
@pytest.mark.parametrize("kind", [SGD, Momentum, Adagrad, RMSprop, Adam], ids=lambda kind: kind.__name__)
def test_training_leaves_no_tensor_that_autograd_knows(kind: type[Optimizer], loss: Loss) -> None:
    network = everything()
    optimizer = kind(network.parameters(), 0.01)
    train(network, loss, optimizer)
    found = list(tensors([network, loss, optimizer]))
    assert len(found) > 40
    for tensor in found:
        assert not tensor.requires_grad
        assert tensor.grad_fn is None
        assert tensor.grad is None  # torch's; ours is Parameter.grad


def test_training_works_where_autograd_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("autograd was called")

    for owner, name in [
        *((Tensor, "backward"), (Tensor, "requires_grad_")),
        *((torch.autograd, "backward"), (torch.autograd, "grad")),
        (torch.autograd.Function, "apply"),
    ]:
        monkeypatch.setattr(owner, name, refuse)
    torch.manual_seed(1)
    with torch.inference_mode():  # tensors made here can take part in no graph
        network = everything()
        before = {name: tensor.clone() for name, tensor in network.state().items()}
        train(network, CrossEntropy(), Adam(network.parameters(), 0.01))
        assert all(tensor.is_inference() for tensor in network.state().values())
        moved = [name for name, tensor in network.state().items() if not torch.equal(tensor, before[name])]
    assert moved == list(before)
