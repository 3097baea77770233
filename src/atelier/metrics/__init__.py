"""Metrics: pure functions, and thin torchmetrics classes that call them."""
