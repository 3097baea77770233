"""The kinds of figures, a module each: `gather` collects data, `draw` draws, `caption` and `describe` give texts."""
