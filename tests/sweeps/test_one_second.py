"""Two sweeps that begin in the same second have folders of their own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.slow
def test_two_sweeps_of_one_second_do_not_meet(
    start_verb: Run, ended: Run, tiny: list[str], tmp_path: Path, conf: Path
) -> None:
    script = tmp_path / "frozen.py"
    script.write_text(
        "import time\n"
        "time.strftime = lambda *given: '2026-11-21_14-03-22-'\n"
        f"verb = {str(conf.parent / 'src' / 'train.py')!r}\n"
        "exec(compile(open(verb).read(), verb, 'exec'))\n"
    )
    both = [start_verb(str(script), "-m", *tiny, "trainer.max_epochs=1", "seed=3", logs=tmp_path) for _ in range(2)]
    for process in both:
        code, out, err = ended(process)
        assert code == 0, out + err
    found = list(tmp_path.glob("sweeps/*/2026-11-21_14-03-22-*/sweep.json"))
    assert len(found) == 2
    assert [json.loads(path.read_text())["status"] for path in found] == ["completed", "completed"]
