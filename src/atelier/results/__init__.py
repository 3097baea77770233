"""Results of the studies: a queue that runs them, their record, verdicts on the reports' claims, and results.md."""
