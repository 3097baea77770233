"""One file per kind of figure: `gather` what is drawn, `draw` it, `caption` and `describe` it in words."""
