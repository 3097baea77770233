"""Cyclic quantities, such as times of a clock: conversion to points on a circle, and their mean."""

import math

import torch
from torch import Tensor

HALF_DAY = 720  # minutes on a clock's face


def sine_and_cosine(turns: Tensor) -> Tensor:
    """Turns (…), 1 being a full circle, to sine and cosine (…, 2)."""
    angle = turns * (2 * math.pi)
    return torch.stack([angle.sin(), angle.cos()], -1)


def turn_of(sine_cosine: Tensor) -> Tensor:
    """Sine and cosine (…, 2), multiplied by any positive factor, to turns (…) in [0, 1]; 1 is -1e-9, rounded."""
    sine, cosine = sine_cosine.unbind(-1)
    turns = torch.atan2(sine, cosine) / (2 * math.pi)
    return turns - turns.floor()


def mean_turn(turns: Tensor) -> Tensor:
    """The mean on the circle, over the first dimension, of turns (K, …): (…) in [0, 1], see `turn_of`.

    >>> mean_turn(torch.tensor([0.875, 0.25, 0.5625]))
    tensor(0.5625)
    """
    return turn_of(sine_and_cosine(turns).mean(0))


def minutes_of(times: Tensor) -> Tensor:
    """Times (N, 2) as minutes since 12 o'clock, (N,) float in [0, 720)."""
    return (times[:, 0] * 60 + times[:, 1]).float()


def on_face(minutes: Tensor) -> Tensor:
    """Minutes modulo 720, in [0, 720); the second step is needed since -1e-6 % 720 is 720 in 32 bits."""
    wrapped = minutes % HALF_DAY
    return torch.where(wrapped >= HALF_DAY, wrapped - HALF_DAY, wrapped)
