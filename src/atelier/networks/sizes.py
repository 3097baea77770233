"""Types of arguments that many networks share."""

from typing import Annotated

from annotated_types import Ge, Interval

Size = Annotated[int, Ge(1)]  # number of units, channels or layers; torch would accept 0
Dropout = Annotated[float, Interval(ge=0, le=1)]  # share of units dropped in training
