"""Synthetic photographs of an analog wall clock on wood, rendered with tensor operations alone.

They replace the 'Tell the time' images of a Leiden deep-learning course: grayscale photographs
of a wall clock, turned in the image plane, tilted away from the camera, with a highlight.

A pinhole camera maps the dial's plane to the image by a homography. Straight edges stay straight,
so each edge of a hand becomes a line of the image, and the distance to that line in pixels gives
the anti-aliasing of the edge. Numerals and wood are textures, sampled through the same homography.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from atelier.data.clock_faces import draw_faces, draw_wood
from atelier.data.clock_scene import Scene, hand_angles, plane_to_picture

NOISE_PLACES = 256  # per axis: number of positions of an image's noise in the shared noise tile
RIM_FALL, HAND_FALL = 0.08, 0.05  # offsets of the shadows of rim and hands, in dial radii


def _hand_edges(scene: Scene) -> Tensor:
    """(N, 2, 6, 3) lines a u + b v + c >= 0 inside: both hands as hexagons of the dial's plane.

    Edge i and edge i + 3 are opposite: the sides below and above the shoulder, tail and tip.
    """
    half, tip = scene.width / 2, scene.length
    tail, shoulder = 0.25 * scene.length.amin(1, True).expand_as(tip), scene.shoulder[:, None] * tip
    at_tail, at_tip = half * scene.taper[:, :1], half * scene.taper[:, 1:]
    below = (half - at_tail) / (shoulder + tail)
    above = (at_tip - half) / (tip - shoulder)
    one, zero = torch.ones_like(tip), torch.zeros_like(tip)
    # Along the hand, across it, constant.
    edges = (
        (below, -one, at_tail + below * tail), (above, -one, half - above * shoulder), (one, zero, tail),
        (below, one, at_tail + below * tail), (above, one, half - above * shoulder), (-one, zero, tip),
    )  # fmt: skip
    along, across, constant = torch.stack([torch.stack(edge, -1) for edge in edges], 2).unbind(-1)
    angles = hand_angles(scene.times)[..., None]
    sin, cos = angles.sin(), angles.cos()
    return torch.stack((along * sin + across * cos, across * sin - along * cos, constant), -1)


def _light(scene: Scene) -> Tensor:
    """(N, 2) unit vector towards the light, on the dial before its rotation (tilt is neglected)."""
    angle = scene.light - scene.rotation
    return torch.stack((angle.sin(), -angle.cos()), 1)


def _pixel_edges(scene: Scene, view: Tensor, image_size: int) -> Tensor:
    """(N, 4, 6, 3) hour hand, minute hand and their shadows, as distances in pixels plus a half.

    A line l of the plane is the line l H of the picture, where H maps picture to plane.
    """
    hands = _hand_edges(scene)
    shadows = hands.clone()
    shadows[..., 2] += HAND_FALL * (hands[..., :2] * _light(scene)[:, None, None]).sum(-1)
    lines: Tensor = torch.cat((hands, shadows), 1) @ view[:, None]
    lines = lines / lines[..., :2].norm(dim=-1, keepdim=True) * (image_size / 2)
    lines[:, 2:] /= 0.02 * image_size  # shadows have soft edges
    lines[..., 2] += 0.5
    return lines


def linear(coefficients: Tensor, places: Tensor) -> Tensor:
    """a x + b y + c at every pixel: (B, 3) -> (B, S, S). No matmul, which may round on a GPU."""
    a, b, c = coefficients[..., None].unbind(1)
    return (a * places)[:, None, :] + (b * places + c)[:, :, None]


def _coverage(edges: Tensor, places: Tensor) -> Tensor:
    """Share of each pixel inside a hexagon: (B, 6, 3) -> (B, S, S).

    The coverage of a strip is computed from both edges, so that hands thinner than a pixel are drawn, too.
    """

    def strip(index: int) -> Tensor:
        one = linear(edges[:, index], places).clamp_(0, 1)
        other = linear(edges[:, index + 3], places).clamp_(0, 1)
        return one.add_(other).sub_(1).clamp_(min=0)

    return torch.minimum(strip(0), strip(1)).mul_(strip(2))


def each(values: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1): a value for each image."""
    return values[:, None, None]


def _wood(scene: Scene, u: Tensor, v: Tensor, planks: Tensor) -> Tensor:
    """(B, S, S) tones of the wood, which lies in the dial's plane."""
    cos, sin = scene.grain_angle.cos(), scene.grain_angle.sin()
    (along, across), (left, top) = scene.grain_scale.unbind(1), scene.grain_offset.unbind(1)
    s = u * each(along * cos) + v * each(along * sin) + each(left)
    t = v * each(across * cos) - u * each(across * sin) + each(top)
    planks = planks.expand(len(scene), -1, -1, -1)
    grain = grid_sample(planks, torch.stack((s, t), -1), padding_mode="reflection", align_corners=False)
    return grain[:, 0].mul_(each(scene.grain)).add_(1).mul_(each(scene.wood))


def _highlight(scene: Scene, places: Tensor) -> Tensor:
    """(B, S, S): a Gaussian spot of light."""
    cos, sin = scene.highlight_angle.cos(), scene.highlight_angle.sin()
    axes = torch.stack((torch.stack((cos, sin), 1), torch.stack((-sin, cos), 1)), 1)
    lines = torch.cat((axes, -(axes * scene.highlight_place[:, None]).sum(-1, keepdim=True)), -1)
    along, across = (lines / scene.highlight_size[..., None]).unbind(1)
    power = linear(along, places).square_() + linear(across, places).square_()
    return power.mul_(-0.5).exp_().mul_(each(scene.highlight))


def _blur(picture: Tensor, weight: Tensor) -> Tensor:
    """(B, S, S) -> (B, S, S): the filter (b, 1 - 2b, b) along both axes, edges repeated."""
    for dim in (1, 2):
        side = picture.shape[dim]
        wide = pad(picture, (0, 0, 1, 1) if dim == 1 else (1, 1), mode="replicate")
        around = wide.narrow(dim, 0, side) + wide.narrow(dim, 2, side)
        picture = around.sub_(picture, alpha=2).mul_(weight).add_(picture)
    return picture


def exposed(picture: Tensor, scene: Scene, places: Tensor) -> Tensor:
    """(B, S, S) -> (B, S, S): the light's gradient and highlight on a picture, which changes, and the lens's blur."""
    lit = torch.stack((scene.light.sin(), -scene.light.cos()), 1) * scene.gradient[:, None]
    picture *= linear(torch.cat((lit, torch.ones_like(lit[:, :1])), 1), places)
    picture += _highlight(scene, places)
    return _blur(picture.clamp_(0, 1), each(scene.blur))


def _photograph(scene: Scene, view: Tensor, edges: Tensor, faces: Tensor, planks: Tensor, noise: Tensor) -> Tensor:
    """(B, S, S) tones 0-1 of the images, drawn from back to front.

    Args:
        view: (B, 3, 3) homographies from the picture to the dial's plane.
        edges: (B, 4, 6, 3) from _pixel_edges.
        faces: textures of all FACES.
        planks: texture of the wood.
        noise: (B, S, S) of unit standard deviation.
    """
    size = noise.shape[-1]
    places = (torch.arange(size, device=view.device) + 0.5) * (2 / size) - 1  # pixel centres

    # The point (u, v) of the dial's plane at each pixel, and its distance to the centre.
    depth = linear(view[:, 2], places).reciprocal_()
    u, v = linear(view[:, 0], places).mul_(depth), linear(view[:, 1], places).mul_(depth)
    square = u * u + v * v
    radius = square.clamp(min=1e-8).sqrt_()
    # Pixels per dial radius along the radius, from its gradient in the picture (quotient rule).
    step_x, step_y = (u * each(view[:, 0, i]) + v * each(view[:, 1, i]) - square * each(view[:, 2, i]) for i in (0, 1))
    slope = step_x.square_().add_(step_y.square_()).sqrt_().mul_(depth)
    pixels = radius.mul(size / 2).div_(slope.clamp_(min=1e-6))

    def beyond(edge: Tensor | float) -> Tensor:
        """Share of each pixel outside the circle of this radius."""
        return (radius - edge).mul_(pixels).add_(0.5).clamp_(0, 1)

    light_u, light_v = _light(scene).unbind(1)
    towards_light = u * each(light_u) + v * each(light_v)
    # Distance to the centre of the shadow: the rim's shadow covers wood outside the rim and dial inside it.
    thrown = (square + 2 * RIM_FALL * towards_light + RIM_FALL**2).clamp_(min=0).sqrt_()
    outer = each(1 + scene.rim_width)
    shadow = each(scene.shadow)

    picture = _wood(scene, u, v, planks)
    picture *= 1 - (outer + 0.06 - thrown).mul_(8).clamp_(0, 1).mul_(shadow)

    # The rim is round: its outer half faces the light on the lit side, its inner half opposite.
    bend = (radius - each(1 + scene.rim_width / 2)).mul_(each(0.42 / scene.rim_width))
    rim = bend.mul_(towards_light).add_(1).mul_(each(scene.rim))
    picture = torch.lerp(rim, picture, beyond(outer))

    ink = grid_sample(faces[scene.face], torch.stack((u, v), -1), align_corners=False)[:, 0]
    dial = ink.mul_(each(scene.ink - scene.paper)).add_(each(scene.paper))
    hour, minute, hour_shadow, minute_shadow = (_coverage(edges[:, i], places) for i in range(4))
    dark = (thrown - 1).mul_(12).add_(0.3).clamp_(0, 1)
    dial *= 1 - torch.maximum(dark, torch.maximum(hour_shadow, minute_shadow)).mul_(shadow)
    hub = 1 - beyond(each(0.4 * scene.width[:, 0] + 0.02))
    hands = torch.maximum(hub, torch.maximum(hour, minute))
    dial = torch.lerp(dial, each(scene.hand).expand_as(dial), hands)
    picture = torch.lerp(dial, picture, beyond(1.0))

    picture = exposed(picture, scene, places)
    return picture.addcmul_(noise, each(scene.noise)).clamp_(0, 1)


def render(
    scene: Scene,
    image_size: int,
    batch_size: int = 128,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> Tensor:
    """Render the pictures of a scene.

    Args:
        scene: N pictures, on the CPU.
        image_size: pixels per side, at least 32.
        batch_size: images per step and thread; changes speed and memory, but no pixel.
        device: the device of the computation.
        progress: called after each step with its number of images.

    Returns:
        (N, 1, image_size, image_size) uint8 on the CPU.

    """
    # The geometry is computed on the CPU, so that it is equal on all devices.
    view = torch.linalg.inv(plane_to_picture(scene))
    edges = _pixel_edges(scene, view, image_size)
    faces, planks = draw_faces(round(1.75 * image_size)).to(device), draw_wood().to(device)
    side = NOISE_PLACES + image_size
    tile = torch.randn(side, side, generator=torch.Generator().manual_seed(0)).to(device)
    windows = tile.unfold(0, image_size, 1).unfold(1, image_size, 1)
    place = (scene.noise_offset * NOISE_PLACES).long()
    pictures = torch.empty(len(scene), 1, image_size, image_size, dtype=torch.uint8)

    def photograph(start: int) -> int:
        part = slice(start, start + batch_size)
        noise = windows[tuple(place[part].to(device).unbind(1))]
        seen = view[part].to(device), edges[part].to(device)
        tones = _photograph(scene[part].to(device), *seen, faces, planks, noise)
        pictures[part, 0] = tones.mul_(255).round_().to(torch.uint8).cpu()
        return len(tones)

    threads = torch.get_num_threads() if torch.device(device).type == "cpu" else 1
    in_threads(photograph, range(0, len(scene), batch_size), threads, progress)
    return pictures


def in_threads(
    work: Callable[[int], int], starts: range, workers: int, progress: Callable[[int], None] | None = None
) -> None:
    """Call `work` for each start, and `progress` with what it returns, in order; a start per thread at a time.

    Threads inside each operation would synchronise some 150 times per batch, which is ten times slower if another
    program uses the same cores.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for done in pool.map(work, starts):
                if progress is not None:
                    progress(done)
    finally:
        torch.set_num_threads(threads)
