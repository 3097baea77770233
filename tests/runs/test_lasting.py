"""Standard output outlasts whoever reads it."""

import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from atelier.runs.interrupt import StopRequest
from atelier.runs.lasting import Lasting

SRC = Path(__file__).parents[2] / "src"
PRINT = """
import sys
from atelier.runs.lasting import Lasting
sys.stdout = Lasting(sys.stdout)
for number in range(20000):
    print(number, "\\u00b1", flush=number % 7 == 0)
print("done", file=sys.stderr)
"""


@pytest.mark.parametrize("shell", ["{0} -c '{1}' | head -1", "{0} -c '{1}' >&-", "LC_ALL=C PYTHONUTF8=0 {0} -c '{1}'"])
def test_a_program_whose_reader_is_gone_goes_on(shell: str) -> None:
    command = shell.format(sys.executable, PRINT)
    ended = subprocess.run(
        f"set -o pipefail; {command}",
        shell=True,
        executable="bash",
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin"},
    )
    assert (ended.returncode, ended.stderr) == (0, "done\n")


def test_what_can_be_shown_is(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    lasting = Lasting(stream)
    lasting.write("one ")
    lasting.writelines(["two", " three"])
    assert stream.getvalue() == "one two three"
    stream.close()
    lasting.write("four")
    lasting.flush()
    assert not lasting.isatty()


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_run_that_nohup_began_outlasts_its_terminal(handler: signal.Handlers) -> None:
    stop, before = StopRequest(), signal.signal(signal.SIGHUP, handler)
    try:
        stop.listen()
        assert (signal.getsignal(signal.SIGHUP) == handler) is (handler == signal.SIG_IGN)
        stop.release()
        assert signal.getsignal(signal.SIGHUP) == handler
    finally:
        signal.signal(signal.SIGHUP, before)
