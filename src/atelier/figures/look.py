"""The look of figures: the style file, which a user's may change, and the sizes for a paper's column or page."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

from atelier.errors import InputError

Paper = Literal["column", "page"]
Look = Callable[[], AbstractContextManager[None]]  # such as `look`
Settings = Mapping[Any, Any]  # {key of Matplotlib's rcParams: value}

STYLE = Path(__file__).with_name("atelier.mplstyle")
WIDTHS: Mapping[Paper, float] = {"column": 3.3, "page": 6.9}  # inches
TEXT = 12  # points, the text in which the figures are designed
PAPER_TEXT = 8  # points
PAPER: Settings = {
    "font.size": PAPER_TEXT,
    "axes.titlesize": PAPER_TEXT,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "pdf.fonttype": 42,  # whole fonts, which journals ask for
    **{f"{part}.linewidth": 0.5 for part in ("axes", "grid", "patch")},
    **{f"{axis}tick.{which}.width": 0.5 for axis in "xy" for which in ("major", "minor")},
    **{f"{axis}tick.major.size": 2.5 for axis in "xy"},
}
FIXED: Settings = {
    "text.parse_math": False,  # see words.as_written
    "svg.hashsalt": "atelier",  # equal figures give equal files
}


@dataclass(frozen=True)
class Format:
    """What the figures are drawn for.

    Args:
        width: the width of every figure in inches; None: as wide as its content needs, for a screen.
        scale: size of panels, lines and marks relative to the design.
        text: size of text relative to the design.
        colors: the colours of the settings, in order.
    """

    width: float | None
    scale: float
    text: float
    colors: tuple[str, ...]

    @property
    def letter(self) -> float:
        """The width of a letter in inches, on average."""
        return 0.095 * self.text


PRESENT: ContextVar[Format | None] = ContextVar("format", default=None)


def present() -> Format:
    """The format in the present context: `look`'s, else a screen's."""
    return PRESENT.get() or Format(None, 1.0, 1.0, common_colors())


@contextmanager
def look(own: Settings | None = None, paper: Paper | None = None) -> Iterator[None]:
    """Inside this context, figures have the common style.

    Args:
        own: settings that count over the common ones, of `read_style`.
        paper: draw for this width, with text of 8 points; None: for a screen.
    """
    from matplotlib import rc_context

    # A copy of the common file keeps the sizes of a paper, where it says nothing new.
    differing = {key: one for key, one in (own or {}).items() if key not in common() or one != common()[key]}
    settings = {**common(), **(PAPER if paper else {}), **differing, **FIXED}
    colors = settings["axes.prop_cycle"].by_key().get("color") or common_colors()
    scale = PAPER_TEXT / TEXT if paper else 1.0
    width = WIDTHS[paper] if paper else None
    token = PRESENT.set(Format(width, scale, settings["font.size"] / TEXT, tuple(colors)))
    try:
        with rc_context(settings):
            yield
    finally:
        PRESENT.reset(token)


@cache
def common() -> Settings:
    return read_style(STYLE)


def looks(style: str | None, paper: Paper | None) -> dict[str, Look]:
    """{folder in figures/: the look of the figures in it}: ".", for a screen, and the paper's, if there is one.

    Raises:
        InputError: for a wrong style file.
    """
    own = read_style(Path(style)) if style else None
    return {".": partial(look, own), **({paper: partial(look, own, paper)} if paper else {})}


def common_colors() -> tuple[str, ...]:
    return tuple(common()["axes.prop_cycle"].by_key()["color"])


def read_style(file: Path) -> Settings:
    """The settings of a style file.

    Raises:
        InputError: if there is no such file, or a line of it is none of Matplotlib's.
    """
    from matplotlib import rc_params_from_file

    if not file.is_file():
        raise InputError(f"style={file}: there is no such file; give a style file of Matplotlib, such as {STYLE}")
    complaints: list[str] = []

    def complain(record: logging.LogRecord) -> bool:
        complaints.append(record.getMessage().strip().splitlines()[0])
        return False

    log = logging.getLogger("matplotlib")  # Matplotlib logs what is wrong, and leaves out the line
    log.addFilter(complain)
    try:
        found = dict(rc_params_from_file(str(file), use_default_template=False))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"style={file}: cannot be read: {error}") from error
    finally:
        log.removeFilter(complain)
    if complaints:
        raise InputError(f"style: {complaints[0]}")
    return found
