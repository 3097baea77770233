"""Trainings and finished runs in Python: what `import atelier` offers."""
