"""Sweeps: starts many runs with one command, resumes them and aggregates their results over seeds."""
