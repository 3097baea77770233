"""The precision of a network: the choice of `auto`, and conversions from and to the 32 bits or more of its task."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.losses.precision import full

WIDE = 16  # channels before and after a convolution; bf16 instructions multiply blocks of channels


def check_eps(eps: Any, kind: torch.dtype) -> None:
    """
    Args:
        eps: a number that is added to what an optimizer divides by; others, such as Adafactor's pair, are not checked.

    Raises:
        InputError: if an optimizer's `eps` is 0 in the precision of its weights.
    """
    if isinstance(eps, float) and eps and torch.tensor(eps, dtype=kind) == 0:
        raise InputError(
            f"trainer.precision=16-true: the optimizer's eps={eps} is 0 in 16 bits, and it would divide by 0;"
            " choose trainer.precision=bf16-true, optimizer=sgd, or ++optimizer.eps=1e-4"
        )


def as_its_weights(network: nn.Module, inputs: tuple[Any, ...]) -> Any:
    """Forward pre-hook: convert floating-point inputs to the dtype of the weights; None if all have it already."""
    first = next(network.parameters(), None)
    if first is None or all(isinstance(given, Tensor) and given.dtype == first.dtype for given in inputs):
        return None
    kind = first.dtype
    return apply_to_collection(inputs, Tensor, lambda given: given.to(kind) if given.is_floating_point() else given)


def in_full(network: nn.Module, inputs: Any, outputs: Any) -> Any:
    """Forward hook: convert outputs to 32 bits or more; None if they have them already."""
    if isinstance(outputs, Tensor) and outputs.dtype in (torch.float32, torch.float64):
        return None
    return apply_to_collection(outputs, Tensor, full)


def choose_precision(accelerator: str, network: nn.Module, strategy: str = "auto") -> tuple[str, str]:
    """The precision in which to train `network` on an accelerator ("cuda", "mps" or "cpu"), and the reason.

    On processors with bf16 instructions, bf16-mixed took 0.3 to 0.7 of the time of 32 bits for CNNs and LSTMs, and as
    much time for GRUs; for MLPs 0.6 on one, and up to 1.7 on another; without the instructions, 17 times as much.
    """
    if "fsdp" in strategy.lower():
        return "32-true", "FSDP would bring batches and running statistics to bf16, too"
    if accelerator == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
        return ("bf16-mixed", "the GPU has it") if able else ("32-true", "the GPU has no bf16")
    if accelerator != "cpu":
        return "32-true", f"bf16 has not been tried on {accelerator}"
    if not processor_has_bf16():
        return "32-true", "this processor has no bf16 instructions"
    gaining = sorted({type(part).__name__ for part in network.modules() if gains(part)})
    if not gaining:
        return "32-true", "bf16 saves time with wide convolutions and LSTMs only"
    return "bf16-mixed", f"this processor has bf16 instructions, with which {' and '.join(gaining)} save time"


def processor_has_bf16() -> bool:
    """Whether this processor has bf16 instructions; without them, bf16 takes many times as long."""
    has: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # earlier versions of torch cannot tell
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def gains(part: nn.Module) -> bool:
    """Whether a layer takes less time in bf16 on a processor that has the instructions."""
    if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
        return min(part.in_channels, part.out_channels) >= WIDE
    return isinstance(part, nn.LSTM)
