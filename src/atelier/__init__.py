"""Atelier: deep-learning experiments that are composed from configuration and started by a single command."""
