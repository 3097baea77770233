"""One run: its folder, manifest, metrics and checkpoints; how it starts, stops and resumes."""
