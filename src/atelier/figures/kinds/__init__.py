"""The kinds of figures, a module each: `gather` collects data, `draw` draws, `caption` and `describe` give texts.

`draw` makes a figure as wide as its content needs, or for a paper exactly as wide as `figures.look.present` says.
"""
