"""What the reports claim, and what our runs say of it: the queue of studies, their record, the verdicts, one page."""
