"""The claims of studies, and the verdicts of runs on them."""
