"""What is trained and how, one LightningModule per file."""
