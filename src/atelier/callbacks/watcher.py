"""The base class of callbacks that only observe a run."""

from lightning.pytorch.callbacks import Callback


class Watcher(Callback):
    """A callback that changes no number of a run, and does not count in its setting (`atelier.runs.setting`).

    A callback that changes the training derives from Lightning's `Callback`.
    """

    only_watches = True
