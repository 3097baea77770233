"""Schedules: the learning rate after t epochs, as a pure function of the initial learning rate η."""


def constant(lr: float, t: int) -> float:
    """η."""
    return lr


def exponential(lr: float, t: int, gamma: float) -> float:
    """η γᵗ.

    >>> exponential(1.0, t=3, gamma=0.5)
    0.125
    """
    return lr * gamma**t


def time_based(lr: float, t: int, decay: float) -> float:
    """η / (1 + decay · t).

    >>> time_based(1.0, t=3, decay=1.0)
    0.25
    """
    return lr / (1 + decay * t)


def step(lr: float, t: int, gamma: float, step_size: int) -> float:
    """η γ^⌊t / step_size⌋: a factor γ every `step_size` epochs.

    >>> [step(1.0, t, gamma=0.5, step_size=2) for t in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    return lr * gamma ** (t // step_size)
