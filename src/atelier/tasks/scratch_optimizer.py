"""Wraps an optimizer of `atelier.scratch` as an optimizer of torch's."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from atelier.errors import InputError
from atelier.scratch.optimizers import SGD, Adagrad, Adam, Momentum, Optimizer, RMSprop

OPTIMIZERS: dict[Any, type[Optimizer]] = {
    torch.optim.SGD: Momentum,
    torch.optim.Adagrad: Adagrad,
    torch.optim.RMSprop: RMSprop,
    torch.optim.Adam: Adam,
}


class ScratchOptimizer(torch.optim.Optimizer):
    """A torch optimizer that steps an optimizer of `atelier.scratch`, for schedulers, checkpoints and Lightning.

    Args:
        network: the nn.Module around the network of `atelier.scratch`.
        inner: the optimizer of `atelier.scratch`; each step sets its learning rate to this optimizer's.
    """

    def __init__(self, network: nn.Module, inner: Optimizer) -> None:
        super().__init__(network.parameters(), {"lr": inner.lr})
        self.inner = inner

    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Step with the gradients of the last backward; first call `closure`, in which Lightning counts the step."""
        if closure:
            closure()
        self.inner.lr = self.param_groups[0]["lr"]
        self.inner.step()

    def state_dict(self) -> dict[str, Any]:
        (group,) = self.param_groups
        settings = {name: value for name, value in group.items() if name != "params"}
        return {"state": self.inner.state(), "param_groups": [settings]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.inner.load_state(state_dict["state"])
        self.param_groups[0].update(state_dict["param_groups"][0])


def own_optimizer(given: Callable[..., torch.optim.Optimizer]) -> Callable[..., Optimizer]:
    """The counterpart in `atelier.scratch` of an optimizer of torch's, `given` as a partial without the parameters.

    Raises:
        InputError: if there is no counterpart, or it lacks an option.

    >>> own_optimizer(functools.partial(torch.optim.SGD, lr=0.1, momentum=0.0))
    functools.partial(<class 'atelier.scratch.optimizers.SGD'>, lr=0.1)
    """
    function, settings = getattr(given, "func", given), dict(getattr(given, "keywords", {}))
    ours = OPTIMIZERS.get(function)
    if ours is None:
        raise InputError(
            f"optimizer: the framework without autograd has no {function.__name__};"
            " choose from: sgd, sgd_momentum, adagrad, rmsprop, adam"
        )
    if ours is Momentum and not settings.get("momentum"):
        settings.pop("momentum", None)
        ours = SGD
    for key, value in settings.items():
        if key not in inspect.signature(ours).parameters:
            raise InputError(f"optimizer.{key}={value}: the framework without autograd has no such option")
    return functools.partial(ours, **settings)
