"""Commands that need more wiring than the command line itself holds; each is registered there by one line."""
