"""Who is told of a run besides its own metrics.csv: one service per file."""
