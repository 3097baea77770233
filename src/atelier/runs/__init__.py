"""The run folder: its manifest, metrics, checkpoints, and how to open one again."""
