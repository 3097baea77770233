"""The deconvolutional network of Zeiler and Fergus (2014, arXiv:1311.2901): projects an activation to pixels.

The signal passes backwards through the layers: max-pooling moves it to the position of the maximum (the 'switches'),
rectifiers set negative values to 0, convolutions apply their transposed filters. Biases are left out. Batch
normalisation, in evaluation a scale and a shift of each channel, applies its scale without the shift.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atelier.callbacks.layers import Call, is_activation
from atelier.errors import InputError

# Activations whose backward pass sets negative values to 0; other activations pass the signal on unchanged.
RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish)
UNCHANGED = (nn.Dropout, nn.Dropout2d, nn.Identity)
Box = tuple[int, int, int, int]  # top, left, bottom, right, the last two exclusive: pixels


def chain_to(calls: Sequence[Call], images: Tensor, layer: nn.Module, number: int = 0) -> list[Call]:
    """The calls from the images to a call of `layer`, its `number` from 0, each with the output of the call before.

    Raises:
        InputError: if the layers are no plain chain, or a layer cannot be passed backwards.
    """
    end = next(index for index, call in enumerate(calls) if (call.layer, call.number) == (layer, number))
    chain = list(calls[: end + 1])
    given = images
    for call in chain:
        if call.input is not given:
            raise InputError(f"callbacks.deconvolution: the layers before {call.name} are no plain chain of layers")
        if not leads_back(call.layer):
            kind = type(call.layer).__name__
            raise InputError(f"callbacks.deconvolution: cannot go back through {call.name}, which is a {kind}")
        given = call.output
    return chain


def leads_back(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    if isinstance(layer, nn.BatchNorm2d):
        return layer.track_running_stats
    return isinstance(layer, (nn.MaxPool2d, *UNCHANGED)) or is_activation(layer)


def project(chain: Sequence[Call], signal: Tensor) -> Tensor:
    """Project a signal (N, C, H, W) at the last layer's output to the images: (N, channels, H, W)."""
    for call in reversed(chain):
        signal = back(call.layer, call.input, signal)
    return signal


def back(layer: nn.Module, given: Tensor, signal: Tensor) -> Tensor:
    """Project a signal from a layer's output to its input, whose value in the forward pass was `given`."""
    if isinstance(layer, nn.Conv2d):
        return transposed(layer, given, signal)
    if isinstance(layer, nn.MaxPool2d):
        return unpooled(layer, given, signal)
    if isinstance(layer, nn.BatchNorm2d):
        assert layer.running_var is not None
        scale = (layer.running_var + layer.eps).rsqrt()
        return signal * (scale if layer.weight is None else scale * layer.weight).detach()[:, None, None]
    return signal.relu() if isinstance(layer, RECTIFIERS) else signal


def transposed(layer: nn.Conv2d, given: Tensor, signal: Tensor) -> Tensor:
    """Apply the transposed filters of a convolution; `left_over`: input rows and columns that the stride skipped."""
    stride, padding, dilation, kernel = windows(layer)
    left_over = []
    for axis in (0, 1):
        reached = (signal.shape[2 + axis] - 1) * stride[axis] - 2 * padding[axis] + dilation[axis] * (kernel[axis] - 1)
        left_over.append(given.shape[2 + axis] - reached - 1)
    weight = layer.weight.detach()
    return F.conv_transpose2d(signal, weight, None, stride, padding, left_over, layer.groups, dilation)


def unpooled(layer: nn.MaxPool2d, given: Tensor, signal: Tensor) -> Tensor:
    """Move each value to the position of its window's maximum; values of overlapping windows are added."""
    _, switches = F.max_pool2d(
        given, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode, return_indices=True
    )
    empty = torch.zeros_like(given, memory_format=torch.contiguous_format).flatten(2)
    return empty.scatter_add(2, switches.flatten(2), signal.flatten(2)).view(given.shape)


def field(chain: Sequence[Call], y: int, x: int) -> Box:
    """The receptive field in the images of the last layer's output at (y, x)."""
    first, last = [y, x], [y, x]
    for call in reversed(chain):
        if isinstance(call.layer, (nn.Conv2d, nn.MaxPool2d)):
            stride, padding, dilation, kernel = windows(call.layer)
            for axis in (0, 1):
                first[axis] = first[axis] * stride[axis] - padding[axis]
                last[axis] = last[axis] * stride[axis] - padding[axis] + dilation[axis] * (kernel[axis] - 1)
    height, width = chain[0].input.shape[2:]
    return max(first[0], 0), max(first[1], 0), min(last[0] + 1, height), min(last[1] + 1, width)


def windows(layer: nn.Conv2d | nn.MaxPool2d) -> tuple[tuple[int, int], ...]:
    """Stride, padding, dilation and kernel size of a layer, each as (height, width)."""
    return pair(layer.stride), pair(layer.padding), pair(layer.dilation), pair(layer.kernel_size)


def pair(value: int | str | tuple[int, ...]) -> tuple[int, int]:
    """A size of torch's, a number or a pair, as the pair (height, width)."""
    assert not isinstance(value, str), "leads_back"
    first, second = (value, value) if isinstance(value, int) else value
    return first, second
