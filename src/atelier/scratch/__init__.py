"""Neural networks and their training in tensor arithmetic alone: every gradient is written out, none is automatic."""
