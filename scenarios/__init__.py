"""When it is good enough: one pytest scenario per experiment."""
