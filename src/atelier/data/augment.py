"""Random changes of training images that leave their labels true, on whole batches and on the images' own device."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class PhotoJitter:
    """Another photograph of the same thing: turned, scaled, shifted, brighter or darker, noisier.

    Args:
        rotation: degrees, up to which an image is turned either way.
        scale: share by which it grows or shrinks at most.
        shift: share of its side by which it moves at most, in each direction.
        brightness: largest change of the normalised values' scale and offset.
        noise: largest standard deviation of noise added to the normalised values.
    """

    rotation: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    noise: float = 0.0

    def __call__(self, images: Tensor) -> Tensor:
        """Normalised images (N, C, H, W) to images of the same shape."""
        count, device = len(images), images.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, device=device) * 2 - 1

        angle = uniform() * math.radians(self.rotation)
        size = torch.exp(uniform() * math.log1p(self.scale))
        cosine, sine = angle.cos() / size, angle.sin() / size
        move = uniform(2) * 2 * self.shift  # the picture spans -1 to 1
        matrix = torch.stack([cosine, -sine, move[:, 0], sine, cosine, move[:, 1]], 1).view(count, 2, 3)
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        # What is turned in from outside mirrors what is inside, so that no edge gives the change away.
        images = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        images = images * (1 + self.brightness * uniform(1, 1, 1)) + self.brightness * uniform(1, 1, 1)
        strength = self.noise * torch.rand(count, 1, 1, 1, device=device)
        return images + strength * torch.randn_like(images)
