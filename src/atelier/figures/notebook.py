"""A Matplotlib figure that a notebook shows as a picture, without pyplot."""

import io
from typing import Any

from matplotlib import figure

from atelier.figures.words import as_written


class Figure(figure.Figure):
    """A figure that is drawn as in `as_written`; as the last value of a notebook's cell, it is shown."""

    @as_written()
    def savefig(self, *args: Any, **options: Any) -> None:
        super().savefig(*args, **options)

    def _repr_png_(self) -> bytes:
        """IPython's method."""
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()
