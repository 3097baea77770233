"""Mean and standard deviation of a number over the runs of one setting."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat

ENOUGH = 3  # values, from which on an interval can tell a difference from chance


@dataclass(frozen=True)
class Statistic:
    """The finite values of a number over several runs, with their mean and standard deviation.

    `mean` is None without values, `std` (of a sample, divided by n − 1) with fewer than two.
    """

    values: tuple[float, ...]
    mean: float | None
    std: float | None
    names: tuple[str, ...] = field(default=(), repr=False, compare=False)  # of the runs; "" if not known

    @classmethod
    def of(cls, values: Iterable[float | None], names: Sequence[str] = ()) -> "Statistic":
        """The statistic of the finite values, with their `names`; None, NaN and infinities are left out.

        >>> Statistic.of([1.0, None, 3.0])
        Statistic(values=(1.0, 3.0), mean=2.0, std=1.4142135623730951)
        """
        pairs = zip(values, names or repeat(""), strict=bool(names))
        kept = [(float(value), name) for value, name in pairs if value is not None and math.isfinite(value)]
        if not kept:
            return cls((), None, None)
        known, kept_names = zip(*kept, strict=True)
        mean = sum(known) / len(known)
        squares = sum((value - mean) * (value - mean) for value in known)
        return cls(known, mean, math.sqrt(squares / (len(known) - 1)) if len(known) > 1 else None, kept_names)

    def interval(self, folds: int = 1) -> tuple[float, float]:
        """Student's 95 % interval of the mean of at least two values, of runs on so many folds of the samples.

        Folds share training samples, which adds the ratio of test to training samples to the mean's variance of 1/n of
        theirs (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366).

        >>> low, high = Statistic.of([1.0, 3.0]).interval()
        >>> round(low, 1), round(high, 1)
        (-10.7, 14.7)
        """
        from scipy.special import stdtrit  # takes a third of a second

        assert self.mean is not None
        assert self.std is not None
        ratio = 1 / (folds - 1) if folds > 1 else 0.0  # of test to training samples
        half = float(stdtrit(self.n - 1, 0.975)) * self.std * math.sqrt(1 / self.n + ratio)
        return self.mean - half, self.mean + half

    @property
    def n(self) -> int:
        return len(self.values)
