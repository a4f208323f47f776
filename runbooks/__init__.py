"""How people recover: one file, one procedure."""
