"""Draws figures from run folders and tensors."""
