"""torchvision's networks that classify images, with their layers under torchvision's names, so that its weights fit.

https://docs.pytorch.org/vision/stable/models.html#classification lists them with their papers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from atelier.errors import InputError, not_among
from atelier.networks.sizes import Dropout, Size

AUXILIARY = ("googlenet", "inception_v3")  # in training, they would also give the outputs of further classifiers
LARGE = 224  # side of the images for which most of them were made, pixels


def classifier(
    in_shape: Sequence[int],
    num_classes: Size,
    name: str,
    dropout: Dropout | None,
    initializer: Callable[[nn.Module], None],
) -> nn.Module:
    """Images (N, C, H, W) in, logits (N, num_classes) out; one channel is repeated to three.

    Args:
        in_shape: (C, H, W) of an image, one or three channels.
        num_classes: size of the output.
        name: torchvision's name of the network.
        dropout: share of units dropped in training, in all its dropout layers; None: torchvision's.
        initializer: initializes the whole network, once.

    Raises:
        InputError: for an unknown name, for dropout in a network without, or for images that the network cannot take.
    """
    known = models.list_models(module=models)
    if name not in known:
        raise InputError(f"network.name={name}: torchvision has {not_among(name, known)}")
    options: dict[str, Any] = {"aux_logits": False, "init_weights": True} if name in AUXILIARY else {}
    network: nn.Module = models.get_model(name, num_classes=num_classes, **options)
    check_images(name, network, in_shape)
    if dropout is not None:
        set_dropout(name, network, dropout)
    if in_shape[0] == 1:
        network.register_forward_pre_hook(as_colour)
    initializer(network)
    return network.to(memory_format=torch.channels_last)


def check_images(name: str, network: nn.Module, in_shape: Sequence[int]) -> None:
    """
    Raises:
        InputError: if the network cannot take images of that shape; it says which sides it takes.
    """
    given = f"data.shape={list(in_shape)}: {name} takes images [channels, height, width]"
    if len(in_shape) != 3 or in_shape[0] not in (1, 3):
        raise InputError(f"{given} with 1 or 3 channels")
    if takes(network, *in_shape[1:]):
        return
    low, high = 0, LARGE
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if takes(network, middle, middle) else (middle, high)
    raise InputError(f"{given} with sides of {high}" + (" or more" if takes(network, high + 32, high + 32) else ""))


def takes(network: nn.Module, height: int, width: int) -> bool:
    """Whether a forward pass succeeds, on the meta device, which computes no values."""
    tensors = {name: tensor.to("meta") for name, tensor in network.state_dict().items()}
    network.eval()
    try:
        with torch.device("meta"), torch.no_grad():
            torch.func.functional_call(network, tensors, torch.empty(1, 3, height, width))
    except (RuntimeError, AssertionError, ValueError, IndexError):  # as its layers find the sides wrong
        return False
    finally:
        network.train()
    return True


def set_dropout(name: str, network: nn.Module, dropout: float) -> None:
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Dropout)]
    if not layers:
        raise InputError(f"network.dropout={dropout}: {name} has no dropout; give null")
    for layer in layers:
        layer.p = dropout


def as_colour(network: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    """Forward pre-hook: repeat the channel of gray images (N, 1, H, W)."""
    return inputs[0].expand(-1, 3, -1, -1)
