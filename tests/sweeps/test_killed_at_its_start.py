"""A job that is killed while its run writes its first files begins anew, and one that is killed then is resumed."""

from collections.abc import Callable
from typing import Any

import pytest

from atelier.compose.targets import plain
from atelier.runs import folder, manifest
from atelier.runs.run import Run
from atelier.sweeps.sweep import Sweep

FILES = ("run.json", "overrides.yaml", "config.yaml")


class Killed(BaseException):
    pass


@pytest.mark.parametrize("written", range(len(FILES) + 1))
def test_a_job_begins_anew_until_its_run_can_be_resumed(
    make_sweep: Callable[..., Sweep],
    compose: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    written: int,
) -> None:
    """What the sweep writes of the failure is no run: resuming it ended in a KeyError."""
    sweep = make_sweep("do=well")
    (job,) = sweep.jobs
    sweep.prepare(job)
    names = []

    def write(path: Any, content: Any) -> None:
        if len(names) == written:
            raise Killed
        names.append(path.name)
        path.write_text(content)

    with monkeypatch.context() as patch:
        for module in (folder, manifest):
            patch.setattr(module, "write_atomically", write)
        try:
            run = Run.start(sweep.folder(job), plain(compose()), {"experiment": "x", "study": None}, ["do=well"], "0")
            assert run.lock
            run.lock.close()
        except Killed:
            assert written < len(FILES)
    assert sorted(names) == sorted(FILES[:written])
    sweep.fail(job, "Killed", "ended by SIGKILL")
    sweep.prepare(job)
    resumed = sweep.arguments(job)[0].startswith("resume=")
    assert resumed == (written == len(FILES))
    assert resumed == ("seconds" in sweep.record(job))
    assert [path.name for path in sweep.folder(job).path.iterdir() if path.suffix == ".log"] == ["run.log"]
