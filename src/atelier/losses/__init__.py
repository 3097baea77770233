"""Losses, as pure functions of predictions and targets."""
