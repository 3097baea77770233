"""The multilayer perceptron of `atelier.scratch`, wrapped in an nn.Module that Lightning can move, save and load."""

import functools
import inspect
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

# {torch's class or function: that of `atelier.scratch`}
ACTIVATIONS: dict[Any, Callable[..., Module]] = {
    nn.Identity: Sequential,  # without layers
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
    """Inputs (N, *in_shape) in, outputs (N, num_classes) out; `layers`, a network of `atelier.scratch`, computes them.

    The tensors of `layers` are registered as parameters and buffers, under names like `1_weight`. The task `scratch`
    runs without autograd, and `layers.backward` computes the gradients; in the task `classifier`, autograd computes
    them from the same forward pass.

    Args:
        in_shape: shape of an input.
        num_classes: size of the output.
        hidden: sizes of the hidden layers; [] makes a linear classifier.
        dropout: share of each hidden layer's units dropped in training.
        batch_norm: batch norm before each activation.
        activation: an activation of torch's; its counterpart in `atelier.scratch` is used.
        output: activation of the output; None leaves it linear.
        initializer: its counterpart in `atelier.scratch` is used; He's if its `weight` is None. Biases start at zero.

    Raises:
        InputError: if `atelier.scratch` has no such activation or initializer.
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
        if initializer.weight is not None and (initializer.convolutions_only or not initializer.zero_biases):
            key = "convolutions_only=true" if initializer.convolutions_only else "zero_biases=false"
            raise InputError(f"initializer.{key}: the framework without autograd sets all weights, and biases to 0")
        self.kept = {name.replace(".", "_"): item for name, item in self.layers.buffers().items()}
        for name, item in self.kept.items():
            if isinstance(item, Parameter):
                item.value = nn.Parameter(item.value)
                self.register_parameter(name, item.value)
            else:
                self.register_buffer(name, item.value)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.layers.training != self.training:  # Lightning sets `training` without a call of `train`
            self.layers.train(self.training)
        outputs = self.layers.forward(inputs)
        for buffer in self.buffers():
            buffer.detach_()  # with autograd, running statistics would keep the graph of every batch
        return outputs

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move the network to a device or precision, and let `layers` use the new tensors."""
        super()._apply(fn, recurse)
        for name, item in self.kept.items():
            item.value = getattr(self, name)
            if isinstance(item, Parameter):
                item.grad = torch.zeros_like(item.value)
        return self


def own(kind: str, given: Any, ours: Mapping[Any, Callable[..., Any]], names: str) -> Callable[..., Any]:
    """The counterpart in `ours` of `given`, a class or function of torch's, or a partial.

    Raises:
        InputError: if there is none; `names`: the choices for the message.
    """
    function, settings = getattr(given, "func", given), dict(getattr(given, "keywords", {}))
    for_relu = settings.pop("nonlinearity", "relu") == "relu"  # `he` has the variance for ReLU only
    if function not in ours or not for_relu:
        name = function.__name__ + ("" if for_relu else " for other units than ReLU")
        raise InputError(f"{kind}: the framework without autograd has no {name}; choose from: {names}")
    if function is nn.init.normal_:
        settings.setdefault("std", 1.0)  # torch's
    if strange := settings.keys() - inspect.signature(ours[function]).parameters.keys():
        told = f"{function.__name__} of the framework without autograd has no {', '.join(sorted(strange))}"
        raise InputError(f"{kind}: {told}; leave it out")
    return functools.partial(ours[function], **settings)
