"""The list of studies to run, conf/results.yaml."""

import signal
from pathlib import Path
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.results.plan import read_plan
from atelier.results.queue import Queue
from atelier.results.runs import Runs
from atelier.results.status import line, print_status
from atelier.runs.folder import claim
from atelier.sweeps.records import Record


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("entrys: []", "results.yaml.entrys: no 'entrys'; choose from: entries"),
        ("entries: [{study: tini}]", "study=tini: there is no such study; choose from: tiny"),
        ("entries: [{study: tiny, seed: 0}]", "entries[0].seed: no 'seed'; choose from: seeds, "),
        (
            "entries: [{study: tiny, seeds: 0}]",
            "entries[0].seeds=0: give a list that is not empty, each item a whole number",
        ),
        ("entries: [{study: tiny, seeds: []}]", "entries[0].seeds=[]: give a list that is not empty"),
        ("entries: [{study: tiny, overrides: a=1}]", "entries[0].overrides=a=1: give a list, each item text"),
        ("entries: [{study: tiny, overrides: [a=1]}]", "entries[0].reduced is missing: say what a=1 reduces, and why"),
        ("entries: [{study: tiny, seeds: [-1]}]", "entries[0].seeds=[-1]: give a list that is not empty"),
        (
            "entries: [{study: tiny, seeds: [0], overrides: ['seed=1,2'], reduced: x}]",
            "entries[0].overrides: seed=1,2 would take the place of seeds=[0]; leave one out",
        ),
        ("entries: [{study: tiny}, {study: tiny}]", "entries[1]: tiny stands there twice"),
        ("entries: {", "results.yaml cannot be read: line 2: did not find expected "),
    ],
)
def test_what_is_wrong_with_the_list_is_told(project: Any, text: str, told: str) -> None:
    project.write_list(text)
    with pytest.raises(InputError) as error:
        project.parts()
    assert told in str(error.value)


def test_what_is_left_takes_as_long_as_what_is_done_of_the_same_setting(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = project.parts()
    jobs = [list(job) for part in parts for job in part.grid.jobs]  # sgd and adam, with seed 0 and with seed 1

    def run(job: int, hours: float, status: str = "completed") -> Record:
        seconds = {"setup": 360.0, "fit": 3600 * hours - 360}
        return Record(None, {"status": status, "seconds": seconds}, {"overrides": jobs[job]})

    told = line("tiny", parts, [run(0, 1.0), run(1, 4.0), run(2, 2.0), run(3, 0.5, "failed")], [])
    assert (told.done, told.planned, told.seeds, told.spent, told.left) == (3, 4, (1, 2), 7.5, 4.0)
    assert line("tiny", parts, [run(0, 1.0), run(2, 2.0)], []).left == 3.0, "of another setting, their mean"
    assert line("tiny", parts, [run(2, 0.5, "failed")], []).left is None
    print_status([told], cores=2)
    assert "Left: 4.00, on 2 cores at once about 2.00 by the clock." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("extra", "cores", "lanes", "jobs"),
    [
        ([], 4, 2, 2),
        ([], 3, 2, 2),
        ([], 1, 1, 1),
        (["hydra.launcher.jobs=1"], 4, 1, 1),
        (["hydra/launcher=x"], 4, 1, 4),
    ],
)
def test_sweeps_at_once_share_the_cores_unless_a_launcher_is_typed(
    project: Any, extra: list[str], cores: int, lanes: int, jobs: int
) -> None:
    queue = Queue(project.root, [], lambda name: Runs([], []), extra, cores, lanes=2)
    assert (queue.lanes, sorted(queue.launcher)) == (lanes, sorted({f"hydra.launcher.jobs={jobs}", *extra}))


def test_threads_that_are_typed_are_not_set_again(project: Any) -> None:
    typed = "hydra.launcher.threads_per_job=4"
    queue = Queue(project.root, [], lambda name: Runs([], []), [typed], cores=2)
    assert [one for one in queue.arguments(project.parts()[0]) if "threads_per_job" in one] == [typed]


def test_a_signal_ends_a_queue_that_waits_for_another_process(project: Any) -> None:
    part = project.parts()[0]
    part.folder.mkdir(parents=True)
    queue = Queue(project.root, [part], lambda name: Runs([], []), [], cores=2)
    with claim(part.folder):
        sweep = queue.do(part)
        next(sweep)
        queue.stop(signal.SIGTERM, None)
        with pytest.raises(StopIteration) as ended:
            next(sweep)
    assert ended.value.value is True, "it is not counted as one that failed"
    assert not queue.processes


def test_the_projects_own_list_can_be_read(conf: Path, tmp_path: Path) -> None:
    parts = read_plan(conf / "results.yaml", conf, tmp_path)
    assert len({part.folder for part in parts}) == len(parts)
    assert all(part.grid.jobs for part in parts)
    listed = {part.study for part in parts}
    studies = {file.stem: file.read_text() for file in (conf / "study").glob("*.yaml")}
    needs_a_classifier = {name for name, text in studies.items() if "# The scores need a classifier" in text}
    assert listed | needs_a_classifier == studies.keys()
