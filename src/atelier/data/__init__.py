"""Data sets: LightningDataModules, each in its own module."""
