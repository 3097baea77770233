"""The multilayer perceptron of the framework without autograd, in a shell that Lightning can move, save and load."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import torch
from annotated_types import Interval
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.networks.initialize import Initializer
from atelier.networks.sizes import Size
from atelier.scratch.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from atelier.scratch.initializers import he, normal, xavier, zero
from atelier.scratch.mlp import MLP
from atelier.scratch.module import Module, Parameter
from atelier.scratch.sequential import Sequential
from atelier.scratch.softmax import Softmax

# What stands in the place of torch's.
ACTIVATIONS: dict[Any, Callable[..., Module]] = {
    nn.Identity: Sequential,  # of no layers
    nn.ReLU: ReLU,
    nn.LeakyReLU: LeakyReLU,
    nn.Tanh: Tanh,
    nn.Sigmoid: Sigmoid,
}
INITIALIZERS: dict[Any, Callable[..., object]] = {
    None: he,
    nn.init.kaiming_normal_: he,
    nn.init.xavier_normal_: xavier,
    nn.init.normal_: normal,
    nn.init.zeros_: zero,
}
OUTPUTS: dict[str, type[Module]] = {"tanh": Tanh, "sigmoid": Sigmoid, "softmax": Softmax}


class ScratchMLP(nn.Module):
    """Inputs (N, *in_shape) in, (N, num_classes) out; computed by `layers`, a network of `atelier.scratch`.

    What `layers` keeps is registered here as parameters and buffers: the same tensors, under names like `1_weight`.
    Without gradients, as in the task `scratch`, `layers.backward` finds them; where autograd is on, as in the task
    `classifier`, it follows the same forward.

    Args:
        in_shape: shape of one input.
        num_classes: size of the output.
        hidden: sizes of the hidden layers; none makes a linear classifier.
        dropout: share of each hidden layer's units dropped in training.
        batch_norm: batch norm before each activation.
        activation: one of torch's; the framework's own of that name takes its place.
        output: activation of the output; None leaves it linear.
        initializer: likewise; He's where it leaves each layer to its class. Biases begin at zero.

    Raises:
        InputError: if the framework has no such activation or initializer.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        hidden: Sequence[Size],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
        batch_norm: bool,
        activation: Callable[[], nn.Module],
        output: Literal["tanh", "sigmoid", "softmax"] | None,
        initializer: Initializer,
    ) -> None:
        super().__init__()
        self.layers = MLP(
            in_shape,
            num_classes,
            hidden,
            dropout,
            batch_norm,
            activation=own("activation", activation, ACTIVATIONS, "relu, leaky_relu, tanh, sigmoid, identity"),
            output=None if output is None else OUTPUTS[output],
            initializer=own(
                "initializer",
                initializer.weight,
                INITIALIZERS,
                "default, he_normal, glorot_normal, normal, normal_05, zeros",
            ),
        )
        self.kept = {name.replace(".", "_"): item for name, item in self.layers.buffers().items()}
        for name, item in self.kept.items():
            if isinstance(item, Parameter):
                item.value = nn.Parameter(item.value)
                self.register_parameter(name, item.value)
            else:
                self.register_buffer(name, item.value)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.layers.training != self.training:  # Lightning sets it without calling `train`
            self.layers.train(self.training)
        outputs = self.layers.forward(inputs)
        for buffer in self.buffers():
            buffer.detach_()  # under autograd, running statistics would remember every batch
        return outputs

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Called to move the network to a device or a precision, which may put new tensors in the place of the old."""
        super()._apply(fn, recurse)
        for name, item in self.kept.items():
            item.value = getattr(self, name)
            if isinstance(item, Parameter):
                item.grad = torch.zeros_like(item.value)
        return self


def own(kind: str, given: Any, ours: Mapping[Any, Callable[..., Any]], names: str) -> Callable[..., Any]:
    """What the framework has in the place of `given`, a function of torch's or a partial of one.

    Raises:
        InputError: if it has nothing; `names` are those that it has something for.
    """
    function, settings = getattr(given, "func", given), dict(getattr(given, "keywords", {}))
    for_relu = settings.pop("nonlinearity", "relu") == "relu"  # He's variance is; torch scales it for others
    if function not in ours or not for_relu:
        name = function.__name__ + ("" if for_relu else " for other units than ReLU")
        raise InputError(f"{kind}: the framework without autograd has no {name}; choose from: {names}")
    return functools.partial(ours[function], **settings)
