"""A callback that would draw no picture is refused when it is made."""

from collections.abc import Callable

import pytest
from omegaconf import DictConfig, OmegaConf

from atelier.compose.targets import build
from atelier.errors import InputError

Compose = Callable[..., DictConfig]
COUNTS = [
    *((name, "count") for name in ("deconvolution", "extremes", "filters", "mistakes", "samples")),
    *((name, key) for name in ("latent_pictures", "reconstructions") for key in ("count", "every", "frames")),
]


@pytest.mark.parametrize(("name", "key"), COUNTS)
@pytest.mark.parametrize("count", [0, -3])
def test_a_count_below_one_is_refused(compose: Compose, name: str, key: str, count: int) -> None:
    node = compose(f"callbacks={name}").callbacks[name]
    OmegaConf.update(node, key, count)
    with pytest.raises(InputError, match=rf"^callbacks\.{name}\.{key}={count}: give 1 or more$"):
        build(node)
