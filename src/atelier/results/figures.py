"""Checks that a kind can draw the figures of a study, and that they are of its grid."""

from collections.abc import Mapping, Sequence
from typing import Any

from atelier.arguments import WrongValue
from atelier.claims.claim import metric
from atelier.claims.selection import check_side
from atelier.runs.overrides import bare
from atelier.sweeps.grid import expand

AXES = ("x", "rows", "columns", "apart")  # options of figures that name a swept key
PANELS = ("setting", "split")  # values of `apart` that are no keys


def check_figures(study: Mapping[str, Any], arguments: Sequence[str] = ()) -> None:
    """
    Args:
        arguments: the overrides that were typed after -m, whose keys vary as well; a key that they give one value is
            still one of the study's.

    Raises:
        InputError: for a figure of a `study` node that no kind can draw, of a metric without its split, of a key that
            does not vary, or of settings that are not in its grid.
    """
    from atelier.report.pictures import check_figure  # imports Matplotlib

    settings = expand([], study)[0].values if study.get("grid") or study.get("settings") else []
    varied = [expand(given, study)[0].swept for given in ([], arguments)] if settings else []
    swept = list(dict.fromkeys(key for keys in varied for key in keys))
    for number, one in enumerate(study.get("figures") or []):
        check_figure(one, where := f"study.figures[{number}]")
        if "metric" in one and (one["kind"] != "curves" or "/" in one["metric"]):  # curves draw it for several splits
            metric(one, "metric", where)
        for axis in AXES if swept else ():
            if (key := one.get(axis)) is not None and bare(key) not in (*swept, *PANELS):
                raise WrongValue(f"{where}.{axis}", key, f"the study does not vary it; choose from: {', '.join(swept)}")
        of = one.get("of") or {} if settings else []
        for wanted in [of] if isinstance(of, Mapping) else of:
            check_side(wanted, settings, None, f"{where}.of")
