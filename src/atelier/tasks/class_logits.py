"""Logits of an encoding's classes: of the mean of several predictions, and of a certain one."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def mean_log_probabilities(logits: Tensor) -> Tensor:
    """The logarithm (…, C) of the mean over K of the probabilities of logits (K, …, C)."""
    return logits.log_softmax(-1).logsumexp(0) - math.log(len(logits))


def mean_hours(logits: Tensor, ahead: Tensor) -> Tensor:
    """Mean log-probabilities (N, 12) of the hours in which K predictions have their mean minute.

    Args:
        logits: (K, N, 12) logits of the hours.
        ahead: (K, N, 1) predicted minus mean minute, in hours; above 0.5, the nearest mean minute is in the next hour.
    """
    hours = torch.arange(12, device=logits.device) - ahead.nan_to_num().round().long()
    return mean_log_probabilities(logits.gather(-1, hours % 12))


def one_hot_logits(classes: Tensor, count: int) -> Tensor:
    """Logits (N, count) with a probability of almost 1 for `classes` (N,)."""
    return F.one_hot(classes, count).float() * 50
