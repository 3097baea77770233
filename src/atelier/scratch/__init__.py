"""Neural networks and their training with tensor arithmetic only: every gradient is written out, without autograd."""
