"""Comparisons of settings and of runs."""
