"""Finished runs in; tables, figures and one HTML page out."""
