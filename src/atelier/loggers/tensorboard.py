"""The TensorBoard logger: writes metrics, configuration, figures and final values into the run folder."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from omegaconf import OmegaConf
from PIL import Image

from atelier.errors import InputError
from atelier.runs.manifest import Manifest
from atelier.runs.metrics import RunLogger
from atelier.runs.rows import read_metrics
from atelier.runs.setting import REPEATS, setting_of

FOLDER = "tensorboard"  # in the run folder


class TensorBoard(RunLogger):
    """Writes scalars, the configuration as text, figures, and hparams, for `tensorboard --logdir logs`.

    Args:
        run: the run's folder.
    """

    def __init__(self, run: str) -> None:
        super().__init__()
        self.folder = Path(run)
        self.writer: Any = None
        self.step = 0

    def begin(self, step: int) -> None:
        """Open the event file, and begin it with the rows of metrics.csv.

        Earlier files are deleted: of a resumed run, TensorBoard would show what metrics.csv has dropped, and their
        hparams instead of later ones.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            package = "the package tensorboard: pip install 'atelier[tensorboard]'"
            raise InputError(f"logger=tensorboard needs {package}") from error
        folder = self.folder / FOLDER
        if folder.exists():
            rmtree(folder)
        self.writer = SummaryWriter(str(folder))
        for row in read_metrics(self.folder / "metrics.csv"):
            if (done := int(row.pop("step"))) < step:
                self.write(row, done)
        config = (self.folder / "config.yaml").read_text(encoding="utf-8")
        self.writer.add_text("config", "\n".join(f"    {line}" for line in config.splitlines()), step)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.step = step or 0
        if self.writer is None:
            self.begin(self.step)
        self.write(metrics, self.step)
        self.writer.flush()

    def write(self, row: Mapping[str, float], step: int) -> None:
        for name, value in row.items():
            self.writer.add_scalar(name, value, step)

    def finish(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        """Write the figures, and the final values with the setting as hparams, and close the file."""
        if self.writer is None:
            return
        for figure in sorted((self.folder / "figures").glob("*.png")):
            try:
                with Image.open(figure) as image:
                    pixels = np.asarray(image.convert("RGB"))
            except Exception as error:  # such as of a file that was cut off, or is no image
                warnings.warn(f"{figure} cannot be read and is left out of TensorBoard: {error}", stacklevel=2)
                continue
            self.writer.add_image(f"figures/{figure.stem}", pixels, self.step, dataformats="HWC")
        self.writer.close()
        self.writer = None
        values = {f"summary/{name}": value for name, value in summary.items() if isinstance(value, (int, float))}
        self.write_outcome(exit_status, values)

    def write_outcome(self, exit_status: int, values: Mapping[str, float]) -> None:
        """Write an event file of its own: hparams, whether the run succeeded, and the final values."""
        from tensorboard.plugins.hparams.api_pb2 import Status
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
        from torch.utils.tensorboard import FileWriter
        from torch.utils.tensorboard.summary import hparams, scalar

        known = {"config_hash": Manifest.read(self.folder / "run.json")["config_hash"]}
        settings = known | hparams_of(OmegaConf.load(self.folder / "config.yaml"))
        experiment, start, end = hparams(settings, values)
        if exit_status:
            told = end.value[0].metadata.plugin_data
            ending = HParamsPluginData.FromString(told.content)
            ending.session_end_info.status = Status.Value("STATUS_FAILURE")
            told.content = ending.SerializeToString()
        file = FileWriter(str(self.folder / FOLDER))
        for part in (experiment, start, end, *(scalar(name, value) for name, value in values.items())):
            file.add_summary(part, self.step)
        file.close()


def hparams_of(config: Any) -> dict[str, bool | int | float | str]:
    """The hparams of a run: its setting without paths of this machine, and its seed, fold and draw."""
    places = [place for place in (config.get("paths") or {}).values() if place]
    leaves = flat(setting_of(config))
    setting = {name: value for name, value in leaves if not any(map(Path(str(value)).is_relative_to, places))}
    repeats = {key: OmegaConf.select(config, key) for key in REPEATS}
    return setting | {key: value for key, value in repeats.items() if value is not None}


def flat(config: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, bool | int | float | str]]:
    """The leaves of a setting, under their dotted names, without `_target_` and null."""
    for key, value in config.items():
        name = f"{path}{key}"
        if str(key).startswith("_"):
            continue
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif value is not None:
            yield name, value if isinstance(value, (bool, int, float, str)) else str(value)
