"""Data sets, one LightningDataModule per file."""
