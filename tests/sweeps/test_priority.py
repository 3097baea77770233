"""A job's session is as patient as the one of its sweep; the kernel's file for it is a file of the test's."""

import subprocess
import sys
from pathlib import Path

import pytest

LEAD = """
import sys
from pathlib import Path
from atelier.sweeps import process
process.AUTOGROUP = Path(sys.argv[1])
process.lead_session()
"""


def lead(file: Path) -> None:
    subprocess.run([sys.executable, "-c", LEAD, str(file)], check=True)


@pytest.mark.parametrize("nice", ["19", "10", "-5"])
def test_a_new_session_is_as_patient_as_the_one_before(tmp_path: Path, nice: str) -> None:
    (tmp_path / "autogroup").write_text(f"/autogroup-31 nice {nice}\n")
    lead(tmp_path / "autogroup")
    assert (tmp_path / "autogroup").read_text() == nice


def test_where_the_kernel_has_no_such_groups_nothing_is_written(tmp_path: Path) -> None:
    lead(tmp_path / "autogroup")
    assert not (tmp_path / "autogroup").exists()


def test_where_such_groups_are_turned_off_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "autogroup").touch()  # the kernel's file is there, and empty
    lead(tmp_path / "autogroup")
    assert (tmp_path / "autogroup").read_text() == ""
