"""Pure functions, and the thin torchmetrics classes over them."""
