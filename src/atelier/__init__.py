"""Atelier: deep-learning experiments composed from configuration, one command each."""
