"""An optimizer of the framework without autograd in the place of one of torch's."""

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
    """Steps an optimizer of `atelier.scratch`; schedules, checkpoints and Lightning take it for one of torch's.

    Args:
        network: the shell of the network whose parameters it moves.
        inner: that optimizer; its learning rate is this one's at each step.
    """

    def __init__(self, network: nn.Module, inner: Optimizer) -> None:
        super().__init__(network.parameters(), {"lr": inner.lr})
        self.inner = inner

    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move the parameters by what the last backward left. `closure` is called before; Lightning counts in it."""
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
    """What the framework has in the place of an optimizer of torch's, `given` as a partial with all but the parameters.

    Raises:
        InputError: if it has nothing.

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
