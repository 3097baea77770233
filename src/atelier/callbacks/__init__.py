"""Lightning callbacks that draw figures, write numbers and show progress during a run."""
