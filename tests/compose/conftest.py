"""What the tests of what a configuration builds share."""

from collections.abc import Callable

import pytest
from omegaconf import DictConfig

from atelier.compose.targets import check
from atelier.errors import InputError


@pytest.fixture(scope="session")
def refused() -> Callable[[DictConfig, str], None]:
    """`refused(config, message)`: checking this configuration ends in one or two lines that match the message."""

    def refuse(config: DictConfig, message: str) -> None:
        with pytest.raises(InputError, match=message) as error:
            check(config)
        assert len(str(error.value).splitlines()) <= 2

    return refuse
