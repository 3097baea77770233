"""Made-up sweeps, as the tests of reports have them."""

import runpy
from pathlib import Path

made_up_sweep = runpy.run_path(str(Path(__file__).parents[1] / "report" / "conftest.py"))["made_up_sweep"]
