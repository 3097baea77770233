"""Points of a square, classified by whether they are in the disk at its centre (EE559 report)."""

import math
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from atelier.arguments import Seed
from atelier.data.tensors import TensorData, Tensors
from atelier.errors import InputError

CENTRE = 0.5
RADIUS = 1 / math.sqrt(2 * math.pi)  # the disk fills half of the square


class Disk(TensorData):
    """Inputs (N, 2), points uniform in [0, 1]²; labels (N,), 1 within `RADIUS` of the centre, else 0.

    Args:
        train_points, test_points: numbers of points.
        draw: seed of the points, independent of the run's seed.
        mean, std: of both coordinates; the network's input is (point − mean) / std.
        shape, num_classes: (2,) and 2, stated in the configuration for networks.
        **options: see `TensorData`.
    """

    reads_text = True
    stored_as = torch.float32
    split_keys = (*TensorData.split_keys, "train_points")

    def __init__(
        self,
        train_points: Annotated[int, Ge(1)],
        test_points: Annotated[int, Ge(1)],
        draw: Seed,
        mean: float,
        std: Annotated[float, Gt(0)],
        shape: tuple[Literal[2]],
        num_classes: Literal[2],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.train_points, self.test_points, self.draw = train_points, test_points, draw
        self.mean, self.std = mean, std
        self.shape, self.num_classes = tuple(shape), num_classes

    def load(self) -> tuple[Tensors, list[str] | None]:
        generator = torch.Generator().manual_seed(self.draw)
        points = torch.rand(self.train_points + self.test_points, 2, generator=generator)
        labels = inside(points)
        cut = self.train_points
        tensors = {
            "train_images": points[:cut],
            "train_labels": labels[:cut],
            "test_images": points[cut:],
            "test_labels": labels[cut:],
        }
        return tensors, ["outside", "inside"]

    def normalise(self, inputs: Tensor) -> Tensor:
        return (inputs - self.mean) / self.std

    def read_text(self, text: str) -> Tensor:
        """Read a point from two numbers, "0.3 0.6" or "0.3,0.6".

        Raises:
            InputError: if the text is not two numbers.
        """
        try:
            x, y = (float(part) for part in text.replace(",", " ").split())
        except ValueError:
            raise InputError(f"inputs: {text} is not a point, two numbers such as '0.3 0.6'") from None
        return torch.tensor([x, y])


def inside(points: Tensor) -> Tensor:
    """Whether points (N, 2) are in the disk: (N,) int64.

    >>> inside(torch.tensor([[0.5, 0.5], [0.1, 0.5], [0.102, 0.5]]))
    tensor([1, 0, 1])
    """
    return ((points - CENTRE).square().sum(1) < RADIUS**2).long()
