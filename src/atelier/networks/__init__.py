"""Network architectures, each in its own module."""
