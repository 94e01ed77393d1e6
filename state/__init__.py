"""What survives a crash: the store, the event log, checkpoints, leases."""
