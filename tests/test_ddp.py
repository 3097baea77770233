"""Two processes on the processor train one run, count every sample once, and end together."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
TEST_SAMPLES = 216  # a tenth of 2,160


@pytest.fixture(scope="module")
def twofold(run_process: Run, tiny: list[str]) -> Any:
    """A run of two processes. Its evaluation batches are of uneven sizes, 50, 50 and 8 on each."""
    single = [override for override in tiny if override != "trainer=cpu"]
    return run_process("train", *single, "trainer=ddp_cpu", "callbacks=none", "data.eval_batch_size=50")


def test_two_processes_make_one_completed_run(twofold: Any) -> None:
    assert twofold.code == 0, twofold.err
    assert twofold.manifest["status"] == "completed"
    assert twofold.manifest["error"] is None
    assert len(list(twofold.logs.rglob("run.json"))) == 1


def test_nothing_is_complained_about(twofold: Any) -> None:
    assert twofold.err == ""


def test_each_process_does_half_of_the_steps(twofold: Any) -> None:
    """1,728 pictures in batches of 64 on each of two processes are 14 steps an epoch."""
    assert (twofold.manifest["epochs"], twofold.manifest["steps"]) == (2, 28)


def test_every_metric_is_logged_once(twofold: Any) -> None:
    rows = list(csv.DictReader(twofold.metrics.splitlines()))
    assert {name: sum(bool(row[name]) for row in rows) for name in ("train/loss", "val/loss", "test/loss")} == {
        "train/loss": 2,
        "val/loss": 2,
        "test/loss": 1,
    }


def test_two_processes_measure_what_one_does(run_verb: Run, twofold: Any) -> None:
    alone = run_verb("eval", f"run={twofold.folder}", "trainer=cpu")
    assert alone.code == 0, alone.err
    rows = re.findall(r"^\W test/(\w+) +\W (\S+) +\W$", alone.out, re.MULTILINE)
    found = {name: float(value) for name, value in rows}
    assert found.keys() == twofold.manifest["test"].keys()
    assert found == pytest.approx(twofold.manifest["test"], abs=1e-4)


@pytest.mark.parametrize("processes", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("split", ["test", pytest.param("val", marks=pytest.mark.slow)])
def test_several_processes_test_again_and_tell_it_once(
    run_process: Run, twofold: Any, processes: int, split: str
) -> None:
    several = "trainer=ddp_cpu", f"trainer.devices={processes}", f"split={split}"
    again = run_process("eval", f"run={twofold.folder}", *several)
    assert (again.code, again.err) == (0, "")
    assert again.out.count(f"on the {split} set") == again.out.count(f"{split}/loss") == 1


def test_every_test_sample_counts_once(twofold: Any) -> None:
    """The share within 5 minutes is a whole number of samples, of exactly those that there are."""
    hits = twofold.manifest["test"]["within_5_minutes"] * TEST_SAMPLES
    assert hits == pytest.approx(round(hits), abs=1e-4)


@pytest.mark.slow
def test_a_run_of_two_processes_is_resumed(run_process: Run, tiny: list[str]) -> None:
    single = [override for override in tiny if override not in ("trainer=cpu", "trainer.max_epochs=2")]
    begun = run_process("train", *single, "trainer=ddp_cpu", "callbacks=none", "trainer.max_epochs=1", python=())
    assert begun.code == 0, begun.err
    resumed = run_process("train", f"resume={begun.folder}", "trainer.max_epochs=2", python=())
    assert (resumed.code, resumed.err) == (0, "")
    assert (begun.manifest["status"], begun.manifest["epochs"], begun.manifest["steps"]) == ("completed", 2, 28)
    rows = list(csv.DictReader(begun.metrics.splitlines()))
    assert [row["epoch"] for row in rows if row["train/loss"]] == ["0", "1"]


@pytest.mark.slow
def test_a_process_that_fails_ends_the_run_as_failed(
    run_process: Run, tiny: list[str], tmp_path: Path, conf: Path
) -> None:
    """Only the second process fails, while the first waits for it."""
    script = tmp_path / "failing.py"
    script.write_text(
        "import os\n"
        "from atelier.tasks.clock import ClockReader\n"
        "step = ClockReader.training_step\n"
        "def failing(self, batch, batch_index):\n"
        "    if os.environ.get('LOCAL_RANK') == '1' and batch_index == 3:\n"
        "        raise RuntimeError('the second process gives up')\n"
        "    return step(self, batch, batch_index)\n"
        "ClockReader.training_step = failing\n"
        f"verb = {str(conf.parent / 'src' / 'train.py')!r}\n"
        "exec(compile(open(verb).read(), verb, 'exec'))\n"  # keeps sys.argv, from which the second process is started
    )
    single = [override for override in tiny if override != "trainer=cpu"]
    outcome = run_process(str(script), *single, "trainer=ddp_cpu", "callbacks=none", python=())
    assert outcome.code not in (0, 2)
    assert outcome.manifest["status"] == "failed"
    assert "the second process gives up" in outcome.manifest["error"]["message"]
    log = (outcome.folder / "run.log").read_text()
    assert "Traceback" in log
    assert "RuntimeError: the second process gives up" in log


def test_a_process_that_another_program_has_begun_is_refused_before_it_has_a_folder(
    run_verb: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torchrun's and srun's: each would have a folder of its own, and the second wait for the first one's test."""
    monkeypatch.setattr("lightning.pytorch.utilities.rank_zero.rank_zero_only.rank", 1)
    outcome = run_verb("train", "trainer=ddp_cpu")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(
        "this is process 1 of several that torchrun, srun or a set RANK has begun; begin one: "
    )
    assert not (outcome.logs / "runs").exists()
