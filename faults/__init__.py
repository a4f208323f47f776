"""How we break staging: one file, one fault."""
