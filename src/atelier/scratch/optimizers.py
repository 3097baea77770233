"""Optimizers: update a parameter w from its gradient g. Arguments have the names and meanings of torch.optim's."""

from collections.abc import Mapping

import torch
from torch import Tensor

from atelier.scratch.module import Parameter, copy_into


class Optimizer:
    """Updates parameters at each `step`; the subclasses define the rule.

    Args:
        parameters: the parameters by name, from `Module.parameters`.
        lr: the learning rate η, an attribute that a schedule may change between steps.
        weight_decay: λ of a penalty λ/2 · Σw², whose gradient λ·w is added to g (also in Adam, unlike AdamW).
    """

    memory_names: tuple[str, ...] = ()  # states of each parameter: tensors of its shape, initially zero

    def __init__(self, parameters: Mapping[str, Parameter], lr: float, weight_decay: float = 0.0) -> None:
        self.parameters = parameters
        self.lr = lr
        self.weight_decay = weight_decay
        self.steps = torch.zeros((), dtype=torch.int64)
        self.memory = {
            name: {key: torch.zeros_like(parameter.value) for key in self.memory_names}
            for name, parameter in parameters.items()
        }

    def step(self) -> None:
        """Update every parameter from its `grad`; called once after each backward."""
        self.steps += 1
        for name, parameter in self.parameters.items():
            grad = parameter.grad
            if self.weight_decay:
                grad = grad + self.weight_decay * parameter.value
            self.update(parameter.value, grad, self.memory[name])

    def update(self, value: Tensor, grad: Tensor, memory: dict[str, Tensor]) -> None:
        """Change the value w and the state, in place."""
        raise NotImplementedError

    def state(self) -> dict[str, Tensor]:
        """The tensors for a checkpoint, not copied."""
        kept = {f"{name}.{key}": item for name, items in self.memory.items() for key, item in items.items()}
        return {"steps": self.steps, **kept}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Load the `state` of an equal optimizer.

        Raises:
            InputError: if the state is that of another kind of optimizer, or of other parameters.
        """
        copy_into(self.state(), state)


class SGD(Optimizer):
    """Stochastic gradient descent."""

    def update(self, value: Tensor, grad: Tensor, memory: dict[str, Tensor]) -> None:
        """w ← w − η g."""
        value.add_(grad, alpha=-self.lr)


class Momentum(Optimizer):
    """Gradient descent with a velocity, which grows in directions of constant sign (Polyak, 1964)."""

    memory_names = ("velocity",)

    def __init__(
        self, parameters: Mapping[str, Parameter], lr: float, weight_decay: float = 0.0, momentum: float = 0.9
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.momentum = momentum

    def update(self, value: Tensor, grad: Tensor, memory: dict[str, Tensor]) -> None:
        """v ← μ v + g, w ← w − η v."""
        velocity = memory["velocity"].mul_(self.momentum).add_(grad)
        value.add_(velocity, alpha=-self.lr)


class Adagrad(Optimizer):
    """Smaller steps for parameters whose past gradients are large (Duchi et al., 2011)."""

    memory_names = ("sum",)

    def __init__(
        self, parameters: Mapping[str, Parameter], lr: float, weight_decay: float = 0.0, eps: float = 1e-10
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.eps = eps

    def update(self, value: Tensor, grad: Tensor, memory: dict[str, Tensor]) -> None:
        """s ← s + g², w ← w − η g / (√s + ε)."""
        total = memory["sum"].addcmul_(grad, grad)
        value.addcdiv_(grad, total.sqrt().add_(self.eps), value=-self.lr)


class RMSprop(Optimizer):
    """Adagrad with a running mean of g² instead of the sum (Hinton, 2012)."""

    memory_names = ("mean_square",)

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        lr: float,
        weight_decay: float = 0.0,
        alpha: float = 0.99,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.alpha, self.eps = alpha, eps

    def update(self, value: Tensor, grad: Tensor, memory: dict[str, Tensor]) -> None:
        """s ← α s + (1 − α) g², w ← w − η g / (√s + ε)."""
        mean_square = memory["mean_square"].mul_(self.alpha).addcmul_(grad, grad, value=1 - self.alpha)
        value.addcdiv_(grad, mean_square.sqrt().add_(self.eps), value=-self.lr)


class Adam(Optimizer):
    """Momentum and RMSprop combined, with running means corrected for their start at zero (Kingma and Ba, 2015)."""

    memory_names = ("mean", "mean_square")

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        lr: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.betas, self.eps = betas, eps

    def update(self, value: Tensor, grad: Tensor, memory: dict[str, Tensor]) -> None:
        """m ← β₁ m + (1 − β₁) g, s ← β₂ s + (1 − β₂) g²; after t steps m̂ = m / (1 − β₁ᵗ) and ŝ = s / (1 − β₂ᵗ);
        w ← w − η m̂ / (√ŝ + ε).
        """
        (beta1, beta2), t = self.betas, int(self.steps)
        mean = memory["mean"].mul_(beta1).add_(grad, alpha=1 - beta1)
        mean_square = memory["mean_square"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        root = (mean_square / (1 - beta2**t)).sqrt().add_(self.eps)
        value.addcdiv_(mean, root, value=-self.lr / (1 - beta1**t))
