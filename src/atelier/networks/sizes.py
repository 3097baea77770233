"""Kinds of numbers that many networks take."""

from typing import Annotated

from annotated_types import Ge, Interval

Size = Annotated[int, Ge(1)]  # units, channels, layers: torch makes a layer of none without a word
Dropout = Annotated[float, Interval(ge=0, le=1)]  # share of the units that are dropped in training
