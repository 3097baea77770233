"""What a callback is that only looks at a run, and what is none."""

from lightning.pytorch.callbacks import Callback


class Watcher(Callback):
    """With it or without it, a run has the same numbers, so that both are one setting (`atelier.runs.setting`).

    A callback that changes a training (early stopping, averaged weights) is Lightning's plain `Callback`.
    """

    only_watches = True
