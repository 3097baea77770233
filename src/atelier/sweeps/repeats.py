"""What runs of one setting may differ in: they become one row of a table, a mean with its standard deviation."""

# {key: what several of its values are called}
REPEATS = {"seed": "seeds", "data.fold": "folds", "data.draw": "draws"}
