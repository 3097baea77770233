"""The composition of modules: f = fₖ ∘ … ∘ f₂ ∘ f₁."""

from typing import Self

from torch import Tensor

from atelier.scratch.module import Buffer, Module


class Sequential(Module):
    """Passes the outputs of each layer to the next layer.

    >>> from atelier.scratch.linear import Linear
    >>> list(Sequential(Linear(3, 5), Linear(5, 2)).parameters())
    ['0.weight', '0.bias', '1.weight', '1.bias']
    """

    def __init__(self, *layers: Module) -> None:
        self.layers = layers

    def forward(self, inputs: Tensor) -> Tensor:
        """x₀ = inputs, xᵢ = fᵢ(xᵢ₋₁), outputs = xₖ."""
        for layer in self.layers:
            inputs = layer.forward(inputs)
        return inputs

    def backward(self, grad: Tensor) -> Tensor:
        """The chain rule, from the last layer to the first: ∂L/∂xᵢ₋₁ = (∂xᵢ/∂xᵢ₋₁)ᵀ ∂L/∂xᵢ."""
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad

    def train(self, training: bool = True) -> Self:
        for layer in self.layers:
            layer.train(training)
        return super().train(training)

    def buffers(self) -> dict[str, Buffer]:
        return {
            f"{index}.{name}": item for index, layer in enumerate(self.layers) for name, item in layer.buffers().items()
        }
