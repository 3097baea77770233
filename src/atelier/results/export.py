"""Writes the record of a study, docs/results/<study>/: its runs, their curves, and its figures.

Figures are drawn from the record, except pictures that runs drew, so that they can be drawn again without the logs.
"""

import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from atelier.claims.claim import Side
from atelier.claims.judge import results_of
from atelier.claims.study import Study
from atelier.compare.scores import unit_of
from atelier.report.pictures import Picture, draw_pictures
from atelier.results.bests import with_bests
from atelier.results.page import page
from atelier.results.plan import Part, whole_repeats
from atelier.results.record import (
    CURVES,
    FIGURES,
    RUNS,
    Recorded,
    as_csv,
    curves_csv,
    read_figures,
    read_record,
    recorded,
    runs_csv,
)
from atelier.results.runs import Runs, runs_of
from atelier.results.studies import measured_on, read_study, study_names
from atelier.results.thin import common, wanted_of
from atelier.runs.manifest import write_atomically
from atelier.sweeps.aggregate import identity
from atelier.sweeps.grid import value_meant
from atelier.sweeps.records import Record

LARGEST = 200_000  # bytes, largest file of a figure


def export_all(parts: Sequence[Part], conf: Path, logs: Path, docs: Path) -> Iterator[str]:
    """Update the records of all studies, results.md, and the table of the README beside `docs`; return messages."""
    docs.mkdir(exist_ok=True)
    studies = {name: read_study(conf, name) for name in study_names(conf)}
    for name, study in studies.items():
        own = [part for part in parts if part.study == name]
        alone = Part(name, None, [], "", logs / "results" / name / "all", study.grid, study.own)
        named = measured_on(name, studies.values())
        yield from export(study, own or [alone], runs_of(study, logs, docs), docs, named)
    write_atomically(docs / "results.md", page(conf, docs))
    yield f"{docs / 'results.md'}"
    readme = docs.parent / "README.md"
    if readme.is_file() and (new := with_bests(old := readme.read_text(encoding="utf-8"), conf, docs)) != old:
        write_atomically(readme, new)
        yield f"{readme}"


def export(study: Study, parts: Sequence[Part], runs: Runs, docs: Path, named: Sequence[Side]) -> list[str]:
    """Update the record of a study, if at least one seed is complete; return messages.

    Args:
        parts: the study's parts of the list.
        docs: the folder that contains results/.
        named: the sides of all studies' claims that are measured on this study.
    """
    ended = [
        one for one in runs.kept if one.status == "completed" or (one.status == "failed" and one.get("config_hash"))
    ]
    done = [record for record in ended if record.get("source") != "fake"]  # a failed one leaves claims undecided
    made_up = len(ended) - len(done)
    told = [f"{study.name}: {made_up} runs on made-up data are left out"] * bool(made_up)
    whole, planned = whole_repeats(parts, done)
    if not whole:
        return told
    if gone := [record for record in runs.superseded if isinstance(record, Recorded)]:
        told.append(f"{study.name}: {len(gone)} runs leave the record, their setting being another by now")
    folder = docs / "results" / study.name
    folder.mkdir(parents=True, exist_ok=True)
    kept = numbered(done, study, named)
    write_atomically(folder / RUNS, runs_csv(kept, study.grid.swept))
    write_atomically(folder / CURVES, curves_csv(kept))
    problems = draw(study, done, folder)
    told.append(f"{study.name}: {len(kept)} runs, {whole} of {planned} repeats whole, {folder}")
    return [*told, *(f"{study.name}: {problem}" for problem in problems)]


def numbered(done: Sequence[Record], study: Study, named: Sequence[Side]) -> list[Recorded]:
    """Finished runs in the format of the record, numbered in order; number 0 is the study's base, if it has one.

    `named`: see `export`.
    """
    swept, objective = study.grid.swept, next(filter(None, (one.get("objective", "metric") for one in done)), None)
    wanted = wanted_of(study.node, named, objective, len(done))
    settings = [{key: value_meant(value) for key, value in one.items() if value} for one in study.settings]

    def place(record: Record) -> tuple[Any, ...]:
        """The sort key of a run: the index of its setting in the grid, then its repeat."""
        typed = {key: value_meant(record.overrides[key]) for key in swept if key in record.overrides}
        found = settings.index(typed) if typed in settings else len(settings)
        return found, [(len(one), one) for one in record.repeat]

    ordered = sorted(done, key=place)
    first = 0 if ordered and is_base(ordered[0], swept) else 1
    together: dict[str, list[Record]] = {}
    for record in ordered:
        together.setdefault(identity(record), []).append(record)
    shared = {
        name: common([record.curves(unit_of([record])) for record in several], wanted, unit_of(several))
        for name, several in together.items()
    }
    numbers = enumerate(ordered, start=first)
    return [recorded(record, number, swept, wanted, shared[identity(record)]) for number, record in numbers]


def is_base(record: Record, swept: Sequence[str]) -> bool:
    return not any(key in record.overrides for key in swept)


# ---------------------------------------------------------------------- figures


def draw(study: Study, done: Sequence[Record], folder: Path) -> list[str]:
    """Draw the study's figures into `folder`/figures; return messages for figures that could not be drawn."""
    wanted: list[Mapping[str, Any]] = list(study.node.get("figures") or [])
    kept = results_of(study, read_record(folder))
    there = results_of(study, [record for record in done if record.folder is not None])
    problems, rows, files = [], [["file", "caption"]], folder / "figures"
    before = dict(read_figures(folder))
    files.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        for number, one in enumerate(wanted, start=1):
            name = f"{number}_{one['kind']}"
            of_runs = one["kind"] == "pictures"
            if (
                of_runs
                and (old := [file for file in before if file.startswith(f"{name}.")])
                and len(there.records) < len(done)
            ):
                rows.append([old[0], before[old[0]]])  # the logs with the pictures are gone: keep the old figure
                continue
            drawn, why = draw_pictures(there if of_runs else kept, [one], Path(place) / str(number))
            problems += [text.replace("Figure 1 ", f"Figure {number} ") for text in why]
            rows += [[store(picture, files, name, of_runs), picture.caption] for picture in drawn]
    for file in files.iterdir():
        if file.name not in [row[0] for row in rows]:
            file.unlink()
    write_atomically(folder / FIGURES, as_csv(rows))
    return problems


def store(picture: Picture, files: Path, name: str, as_pixels: bool) -> str:
    """Copy a figure, as SVG if it is small, else as PNG; return the file's name."""
    vector, pixels = (picture.path.with_name(f"{picture.path.name}.{ending}") for ending in ("svg", "png"))
    if not as_pixels and vector.stat().st_size <= LARGEST:
        shutil.copyfile(vector, files / f"{name}.svg")
        return f"{name}.svg"
    (files / f"{name}.png").write_bytes(small_png(pixels))
    return f"{name}.png"


def small_png(file: Path) -> bytes:
    """The content of a PNG file, reduced in colours and then in size until it has at most LARGEST bytes."""
    content = file.read_bytes()
    image = Image.open(file).convert("RGB")
    while len(content) > LARGEST:
        output = io.BytesIO()
        image.quantize(256).save(output, "PNG", optimize=True)
        content = output.getvalue()
        image = image.resize((image.width * 4 // 5, image.height * 4 // 5), Image.Resampling.LANCZOS)
    return content
