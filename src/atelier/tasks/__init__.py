"""Tasks: LightningModules that define the training, each in its own module."""
