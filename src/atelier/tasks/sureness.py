"""How sure a clock's answer is, from its picture's four quarter turns; calibrated on the validation pictures (ours).

A turned clock shows the same time, so that readings of the turns that differ speak against the answer. A picture that
looks alike from each side, such as noise, has readings that agree; but their outputs are blurred: unlike those for any
time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from atelier.errors import InputError
from atelier.metrics.common_sense import common_sense_error

SHARE = 0.975  # share of the validation pictures within the limit of spread, and within that of blur
WITHIN = 5  # minutes: `probability` is that of a smaller or equal error
GROUPS = 10  # number of groups of validation pictures with a probability each
NOT_SURE = "not sure: no clock, or one unlike those it knows"
POOR = "not sure: more likely wrong than right"


def spread(answer: Tensor, readings: Tensor) -> Tensor:
    """The mean common-sense error (N,), in minutes, of readings (N, K) from the answer (N,)."""
    return common_sense_error(readings, answer[:, None].expand_as(readings)).mean(1)


@dataclass(frozen=True)
class Sureness:
    """What is known of a network's sureness from its validation pictures.

    A picture's doubt is its spread or its blur, each as a multiple of its limit, whichever is larger; above 1, the
    answer is not sure.

    Args:
        spread: the limit in minutes, which `SHARE` of the validation pictures keep.
        blur: likewise, in units of the encoding's loss.
        doubt: the largest doubt in each of at most `GROUPS` groups of validation pictures with sure answers, ascending.
        probability: the share of each group whose answer is at most `WITHIN` minutes off, by isotonic regression: more
            doubt is never more probable.
    """

    spread: float
    blur: float
    doubt: list[float]
    probability: list[float]

    @classmethod
    def calibrated(cls, spread: Tensor, blur: Tensor, errors: Tensor) -> Self:
        """From the spread, the blur and the error in minutes of validation pictures, (N,) each."""
        from scipy.optimize import isotonic_regression

        minutes, loss = (max(1e-6, values.nanquantile(SHARE).item()) for values in (spread, blur))
        doubt, order = doubts(spread, blur, minutes, loss).sort()
        doubt = doubt[doubt <= 1]  # NaN sorts last
        right = (errors[order] <= WITHIN)[: len(doubt)].float()
        groups = [part for part in torch.stack([doubt, right], 1).chunk(GROUPS) if len(part)]
        shares = [part[:, 1].mean().item() for part in groups]
        sizes = [len(part) for part in groups]
        probability = isotonic_regression(shares, weights=sizes, increasing=False).x.tolist() if groups else []
        return cls(minutes, loss, [part[-1, 0].item() for part in groups], probability)

    @classmethod
    def recorded(cls, content: Mapping[str, Any] | None) -> Self | None:
        """From the entry `sureness` of a run.json; None if there is none.

        Raises:
            InputError: if it is of another kind than a run's.
        """
        if content is None:
            return None
        try:
            doubt, probability = (list(map(float, content[name])) for name in ("doubt", "probability"))
            if len(doubt) != len(probability):
                raise ValueError("doubt and probability differ in length")
            return cls(float(content["spread"]), float(content["blur"]), doubt, probability)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"run.json: its sureness is of another kind than a run's ({error})") from error

    def told(self, spread: Tensor, blur: Tensor) -> list[dict[str, Any]]:
        """For each picture, whether the answer is sure; and how probably it is right, None if it is no known clock."""
        doubt = doubts(spread, blur, self.spread, self.blur)
        groups = torch.searchsorted(torch.tensor(self.doubt), doubt.nan_to_num(2)).clamp(max=len(self.doubt) - 1)
        return [
            {
                "sure": "yes" if self.probability[group] >= 0.5 else POOR,
                "probability": round(self.probability[group], 4),
            }
            if value <= 1 and self.probability
            else {"sure": NOT_SURE, "probability": None}
            for value, group in zip(doubt.tolist(), groups.tolist(), strict=True)
        ]


def doubts(spread: Tensor, blur: Tensor, most_spread: float, most_blur: float) -> Tensor:
    """See `Sureness`; NaN where a prediction is not finite."""
    return torch.maximum(spread / most_spread, blur / most_blur)
