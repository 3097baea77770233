"""The figures of `src/sample.py`: images from a trained GAN or VAE, with numbers; a function for each kind."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from atelier.arguments import Seed
from atelier.errors import InputError
from atelier.figures.gallery import animate, draw_panels, frame, interleave

STEPS = 9  # images from a latent to another, both included
PART = 500  # images generated at once

Kind = Literal["grid", "interpolation", "neighbours", "plane", "reconstructions", "walk"]


@dataclass(frozen=True)
class Sampler:
    """The common arguments of the functions below.

    Args:
        task: a GAN or VAE (`atelier.tasks.generative`) in evaluation mode.
        data: the task's images (`atelier.data.images`), set up.
        n: number of images, pairs, stations, or images of a side; None: the default of the kind.
        seed: seed of the latents.
        path: the PNG file to write.
    """

    task: Any
    data: Any
    n: Annotated[int, Ge(1)] | None
    seed: Seed
    path: Path

    def latents(self, count: int) -> Tensor:
        return self.task.draw_latents(count, self.seed)

    def pictures(self, latents: Tensor) -> Tensor:
        """Generate images (N, C, H, W), values 0 to 1, on the CPU, from latents (N, L)."""
        return torch.cat([self.task.pictures(part).cpu() for part in latents.split(PART)])


def grid(sampler: Sampler) -> dict[str, Any]:
    """Draw generated images; count their classes, if the run's features come from a classifier."""
    count = sampler.n or 25
    pictures = sampler.pictures(sampler.latents(count))
    frame(pictures, columns=math.ceil(math.sqrt(count))).save(sampler.path)
    numbers: dict[str, Any] = {"mean": pictures.mean().item(), "std": pictures.std().item()}
    quality = sampler.task.quality
    if quality is not None and quality.features.num_classes is not None:
        quality.to(sampler.task.device)
        counts = sum(quality.class_counts(part.to(sampler.task.device)) for part in pictures.split(PART))
        names = sampler.data.classes or [str(number) for number in range(len(counts))]
        numbers |= {"classes": dict(zip(names, counts.tolist(), strict=False)), "features": quality.features.identity}
    return numbers


def interpolation(sampler: Sampler) -> dict[str, Any]:
    """Draw nine images from a latent to another, with linear and with spherical interpolation."""
    pairs = sampler.n or 1
    ends = sampler.latents(2 * pairs).view(pairs, 2, -1)
    ways = {"linear": straight, "spherical": on_sphere}
    lines, numbers = {}, {}
    for name, way in ways.items():
        latents = torch.cat([way(first, last, STEPS) for first, last in ends])
        lines[name] = sampler.pictures(latents)
        changes = lines[name].view(pairs, STEPS, -1).diff(dim=1).norm(dim=2)  # (pairs, STEPS - 1)
        numbers[name] = {
            "latent_norms": latents.norm(dim=1).view(pairs, STEPS).tolist(),
            "change_of_each_step": changes.tolist(),
            "largest_over_mean_change": (changes.max(1).values / changes.mean(1)).tolist(),
        }
    panels = [(f"{name} interpolation", frame(line, STEPS)) for name, line in lines.items()]
    draw_panels(panels, sampler.path, columns=1)
    return numbers


def neighbours(sampler: Sampler) -> dict[str, Any]:
    """Draw each generated image above its nearest training image, by Euclidean distance, to find copies."""
    made = sampler.pictures(sampler.latents(sampler.n or 8))
    distances, rows = nearest(sampler, made)
    shown = train_pictures(sampler, rows)
    columns = min(len(made), 10)
    panel = frame(interleave(made, shown, columns=columns), columns)
    draw_panels([("made, and below the nearest training image", panel)], sampler.path, columns=1)
    test = sampler.data.sets["test"]
    held_out = torch.linspace(0, len(test) - 1, min(len(test), len(made))).long()
    typical, _ = nearest(sampler, as_pictures(sampler, test[held_out][0]))
    return {
        "distances": distances.tolist(),
        "training_rows": sampler.data.sets["train"].rows.cpu()[rows].tolist(),
        "median_distance": median(distances),
        "median_distance_of_test_images": median(typical),
    }


def plane(sampler: Sampler) -> dict[str, Any]:
    """Draw the plane of two latents: images of a grid at equal quantiles of each latent's normal distribution."""
    side = sampler.n or 15
    places = torch.special.ndtri((torch.arange(side) + 0.5) / side)
    latents = torch.cartesian_prod(places.flip(0), places).flip(1)  # (side², 2), row by row from above
    frame(sampler.pictures(latents.to(sampler.task.device)), side).save(sampler.path)
    return {"places": places.tolist()}


def reconstructions(sampler: Sampler) -> dict[str, Any]:
    """Draw test images above their reconstructions.

    Raises:
        InputError: if there are no test images.
    """
    task, test = sampler.task, sampler.data.sets["test"]
    if not len(test):
        raise InputError("what=reconstructions: the run's data have no test images")
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(sampler.seed))
    rows = order[: sampler.n or 16]
    images = sampler.data.normalise(test[rows][0].to(task.device))
    shown, made = task.as_pictures(images).cpu(), task.reconstruct(images).cpu()
    columns = min(len(rows), 8)
    frame(interleave(shown, made, columns=columns), columns).save(sampler.path)
    return {"test_rows": rows.tolist(), "mean_squared_errors": (shown - made).square().flatten(1).mean(1).tolist()}


def walk(sampler: Sampler) -> dict[str, Any]:
    """Draw a closed path through several latents: a row of images from each to the next, and a GIF of the path."""
    stations = sampler.n or 6
    ends = sampler.latents(stations)
    parts = [on_sphere(ends[k], ends[(k + 1) % stations], STEPS)[:-1] for k in range(stations)]
    pictures = sampler.pictures(torch.cat(parts))
    frame(pictures, STEPS - 1).save(sampler.path)
    animate([frame(picture[None], 1) for picture in pictures], sampler.path.with_suffix(".gif"), seconds=0.12)
    changes = (pictures - pictures.roll(-1, 0)).flatten(1).norm(dim=1)
    return {"stations": stations, "steps": STEPS - 1, "change_of_each_step": changes.tolist()}


KINDS: dict[Kind, Callable[[Sampler], dict[str, Any]]] = {
    "grid": grid,
    "interpolation": interpolation,
    "neighbours": neighbours,
    "plane": plane,
    "reconstructions": reconstructions,
    "walk": walk,
}


def unfit(what: Kind, task: Any) -> str | None:
    """Why a GAN or VAE has no figure of this kind; None if it has."""
    if not makes_pictures(task):
        return f"this network makes no pictures, but {list(task.pictures(task.latents[:1]).shape[1:])} numbers"
    if what == "plane" and task.latent_size != 2:
        return f"only for two latents (task.latent_size=2); this network has {task.latent_size}"
    if what == "reconstructions" and not hasattr(task, "reconstruct"):
        return f"only a VAE has them; choose from: {', '.join(kind for kind in KINDS if kind != what)}"
    return None


def makes_pictures(task: Any) -> bool:
    return task.pictures(task.latents[:1]).dim() == 4


def draw(what: Kind, sampler: Sampler, **more: Any) -> None:
    """Draw a figure of `KINDS`, and write its numbers and `more` into a JSON file beside it.

    Raises:
        InputError: if the task or its data have none.
    """
    if told := unfit(what, sampler.task):
        raise InputError(f"what={what}: {told}")
    numbers = KINDS[what](sampler)
    content = {"what": what, "n": sampler.n, "seed": sampler.seed, **more, **numbers}
    text = json.dumps(finite(content), indent=2, ensure_ascii=False)
    sampler.path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """A value for JSON, which has no NaN and no infinity: None in their place, as of a median without test images.

    >>> finite({"distances": [1.5, float("nan")], "what": "nan"})
    {'distances': [1.5, None], 'what': 'nan'}
    """
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def straight(first: Tensor, last: Tensor, steps: int) -> Tensor:
    """Latents (steps, L) at equal distances on the line between two latents (L)."""
    share = torch.linspace(0, 1, steps, device=first.device)[:, None]
    return first + share * (last - first)


def on_sphere(first: Tensor, last: Tensor, steps: int) -> Tensor:
    """Latents (steps, L) at equal angles between two latents (L), with linearly interpolated norms."""
    share = torch.linspace(0, 1, steps, device=first.device)[:, None]
    lengths = first.norm() + share * (last.norm() - first.norm())
    one, other = first / first.norm(), last / last.norm()
    angle = torch.arccos((one @ other).clamp(-1, 1))
    if angle.sin().abs() < 1e-3:  # parallel latents; between opposite ones, as of one number, no way is the shortest
        return straight(first, last, steps)
    return lengths * (torch.sin((1 - share) * angle) * one + torch.sin(share * angle) * other) / angle.sin()


AT_ONCE = 2**22  # values of the training images that are compared at once


def nearest(sampler: Sampler, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """The Euclidean distance (N,) of each image (N, …) to its nearest training image, and that image's row (N,)."""
    count = len(sampler.data.sets["train"])
    pictures = pictures.flatten(1).double()  # in 32 bits, the distance of a copy would not be 0
    best, found = pictures.new_full((len(pictures),), torch.inf), torch.zeros(len(pictures), dtype=torch.int64)
    for rows in torch.arange(count).split(max(1, min(2000, AT_ONCE // pictures.shape[1]))):
        distance = torch.cdist(pictures, train_pictures(sampler, rows).flatten(1).double())  # (N, rows)
        value, place = distance.min(1)
        found = torch.where(value < best, rows[place], found)
        best = torch.minimum(best, value)
    return best, found


def median(values: Tensor) -> float:
    """The median of values (N,), NaN of none; torch's own is the lower of the two in the middle of an even number.

    >>> median(torch.tensor([1.0, 2.0, 4.0, 8.0]))
    3.0
    """
    return values.quantile(0.5).item() if len(values) else math.nan


def train_pictures(sampler: Sampler, rows: Tensor) -> Tensor:
    return as_pictures(sampler, sampler.data.sets["train"][rows][0])


def as_pictures(sampler: Sampler, stored: Tensor) -> Tensor:
    """Stored images as images with values 0 to 1, on the CPU."""
    return sampler.task.as_pictures(sampler.data.normalise(stored)).cpu()
