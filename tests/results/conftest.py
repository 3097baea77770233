"""The made-up sweeps of the report's tests, for these too."""

import runpy
from pathlib import Path

made_up_sweep = runpy.run_path(str(Path(__file__).parents[1] / "report" / "conftest.py"))["made_up_sweep"]
