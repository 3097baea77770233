"""Composes the configuration of a command, checks it and builds its objects."""
