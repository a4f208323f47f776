"""A PostgreSQL cluster that fails over as Aurora does."""
