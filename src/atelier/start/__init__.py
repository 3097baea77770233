"""The start of a training: other weights are taken into the network, and parts of it are frozen."""
