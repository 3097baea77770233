"""Loggers of a run besides metrics.csv: a module for each service."""
