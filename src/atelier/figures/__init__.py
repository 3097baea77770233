"""Run folders and tensors in, pictures out."""
