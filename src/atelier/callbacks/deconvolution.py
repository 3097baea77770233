"""A callback that projects strong activations of a convolution to pixels (Zeiler and Fergus 2014; ELEC576, part 2)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as lightning
import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from atelier.callbacks.evaluated import are_pictures, from_all, rows_of, stored
from atelier.callbacks.frames import looking
from atelier.callbacks.layers import Site, convolutions, listening, one_network, pick, sites, trace
from atelier.callbacks.projection import Box, chain_to, field, project
from atelier.callbacks.watcher import Watcher
from atelier.errors import InputError
from atelier.figures.look import look
from atelier.figures.numbers import write_numbers
from atelier.figures.palette import write_png


@dataclass(frozen=True)
class Peak:
    """The strongest activation of a channel in an image.

    Args:
        sample: index of the image in the tested set, from 0.
        y, x: position in the channel's map.
        box: the receptive field, a part of the image.
        patch: pixels of the box, (C, h, w), 0 to 1.
        projection: the activation projected to the pixels of the box, (C, h, w).
    """

    channel: int
    activation: float
    sample: int
    y: int
    x: int
    box: Box
    patch: Tensor
    projection: Tensor


class Deconvolution(Watcher):
    """Draws `deconvolution_<layer>.png` and writes `.csv` after testing: image patches above their projections.

    The test images are ranked by a channel's largest activation.

    Args:
        layer: index of a convolution, from 0 in the order of a forward pass; -1 is the last.
        channels: indices of channels, or a number of channels, those with the strongest activations.
        count: number of images for each channel.

    Raises:
        InputError: if the network lacks the convolution or the channels, the layers before it are no plain chain, or
            the task has several networks.
    """

    def __init__(self, layer: int, channels: int | list[int], count: Annotated[int, Ge(1)]) -> None:
        self.layer, self.channels, self.count = layer, channels, count
        self.site: Site | None = None
        self.found: Tensor | None = None  # (count, channels, 3): activation, sample, place

    def setup(self, trainer: lightning.Trainer, task: Any, stage: str) -> None:
        """Check the options and the network before the training starts."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        raw, _ = data.sets["train"][torch.tensor([0])]  # the tested set may be empty
        with looking(task):
            self.locate(task, data.normalise(raw.to(task.device)))

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        task: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        images = batch[0]
        if self.site is None:
            self.site = self.locate(task, images[:1])
        rows = rows_of(trainer, batch_idx, len(images)).to(images.device)
        with listening([self.site], lambda _, output: self.keep(output, rows)):
            task.network(images)

    def locate(self, task: Any, image: Tensor) -> Site:
        """The layer whose output is recorded, after checking that its activations can be projected to pixels."""
        if not are_pictures(image):
            raise InputError("callbacks.deconvolution: only for pictures of one or three channels")
        convolutions(one_network(task, "deconvolution"), "deconvolution")
        image = image.to(task.dtype)  # `chain_to` compares this tensor with the first layer's input
        calls = trace(task.network, image)
        site = pick(sites(calls), self.layer, "callbacks.deconvolution.layer")
        chain_to(calls, image, site.layer, site.number)
        width = site.convolution.out_channels
        given = [self.channels - 1] if isinstance(self.channels, int) else self.channels
        if not given or min(given) < 0 or max(given) >= width:
            raise InputError(f"callbacks.deconvolution.channels={self.channels}: {site.name} has {width} channels")
        return site

    def keep(self, output: Tensor, rows: Tensor) -> None:
        """Keep the strongest images of each channel. `output`: (N, C, H, W); `rows`: indices of the N samples."""
        activation, place = output.detach().float().flatten(2).max(2)
        new = torch.stack([activation, rows[:, None].expand_as(place), place], 2)
        self.found = self.strongest(new if self.found is None else torch.cat([self.found, new]))

    def strongest(self, found: Tensor) -> Tensor:
        """The `count` highest entries of each channel, (count, C, 3), or all if there are fewer."""
        order = found[..., 0].sort(dim=0, descending=True, stable=True).indices[: self.count]
        return found.gather(0, order[..., None].expand(-1, -1, 3))

    def on_test_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if self.found is not None and trainer.world_size > 1:
            missing = self.count - len(self.found)  # all ranks gather tensors of equal shape
            padded = F.pad(self.found, (0, 0, 0, 0, 0, missing), value=-torch.inf)
            self.found = self.strongest(from_all(trainer, padded).flatten(0, 1))

    def on_test_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if self.found is None or self.site is None or not trainer.is_global_zero:
            return
        if not self.found[..., 0].isfinite().any():  # of a network that diverged
            return
        peaks = self.peaks(trainer, task, self.site, self.found)
        path = Path(trainer.default_root_dir) / "figures" / f"deconvolution_{self.site.name}.png"
        columns = ["channel", "activation", "sample", "y", "x", "top", "left", "bottom", "right"]
        rows = [[p.channel, p.activation, p.sample, p.y, p.x, *p.box] for p in peaks]
        write_numbers(path.with_suffix(".csv"), columns, rows)
        draw(peaks, self.site.name, path)
        self.site = self.found = None

    def peaks(self, trainer: lightning.Trainer, task: Any, site: Site, found: Tensor) -> list[Peak]:
        """The strongest activations of the chosen channels, channel by channel, projected to pixels."""
        chosen = self.chosen(found)
        found = found[:, chosen].transpose(0, 1)  # (channels, count, 3)
        known = found[..., 0].isfinite()
        channel = chosen[:, None].expand_as(known)[known]
        activation, (sample, place) = found[known][:, 0], found[known][:, 1:].long().unbind(1)

        raw = stored(trainer, sample)
        images = trainer.datamodule.normalise(raw.to(task.device)).to(task.dtype)  # type: ignore[attr-defined]
        chain = chain_to(trace(task.network, images), images, site.layer, site.number)
        signal = torch.zeros_like(chain[-1].output, memory_format=torch.contiguous_format)
        signal.flatten(2)[torch.arange(len(signal)), channel, place] = activation.to(signal.dtype)
        projections = project(chain, signal).float().cpu()

        pictures, width = raw.float().cpu() / 255, signal.shape[3]
        peaks = []
        for index, spot in enumerate(place.tolist()):
            y, x = divmod(spot, width)
            top, left, bottom, right = box = field(chain, y, x)
            peaks.append(
                Peak(
                    channel=int(channel[index]),
                    activation=float(activation[index]),
                    sample=int(sample[index]),
                    y=y,
                    x=x,
                    box=box,
                    patch=pictures[index, :, top:bottom, left:right],
                    projection=projections[index, :, top:bottom, left:right],
                )
            )
        return peaks

    def chosen(self, found: Tensor) -> Tensor:
        """Indices of the channels to show; for a number, those with the strongest activations in `found`."""
        if isinstance(self.channels, int):
            return found[0, :, 0].sort(dim=0, descending=True, stable=True).indices[: self.channels]
        return torch.tensor(self.channels, device=found.device)


def draw(peaks: list[Peak], name: str, path: Path) -> None:
    """Draw a row for each channel: patches, and below each its projection, scaled by its largest value; 0 is grey."""
    from matplotlib.figure import Figure

    channels = list(dict.fromkeys(peak.channel for peak in peaks))
    ranks = [sum(other.channel == peak.channel for other in peaks[:place]) for place, peak in enumerate(peaks)]
    columns = 1 + max(ranks)
    with look():
        figure = Figure(figsize=(1.1 + 1.05 * columns, 0.6 + 2.15 * len(channels)), layout="constrained")
        axes = figure.subplots(2 * len(channels), columns, squeeze=False)
        for axis in axes.flat:
            axis.set_axis_off()
        for column, peak in zip(ranks, peaks, strict=True):
            row = channels.index(peak.channel)
            upper, lower = axes[2 * row, column], axes[2 * row + 1, column]
            limit = float(peak.projection.abs().max()) or 1.0
            for axis, picture in ((upper, peak.patch), (lower, peak.projection / limit / 2 + 0.5)):
                pixels = picture.permute(1, 2, 0).numpy()
                axis.imshow(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=1)
                axis.set_axis_on()
                axis.set_xticks([])
                axis.set_yticks([])
                axis.spines[:].set_visible(False)
            if column == 0:
                upper.set_ylabel(f"channel\n{peak.channel}", rotation=0, ha="right", va="center", fontsize=10)
            upper.set_title(f"{peak.activation:#.3g}".removesuffix("."), fontsize=10)
        figure.suptitle(f"{name}: strongest activations, and below each its projection", fontsize=10)
        write_png(figure, path)
