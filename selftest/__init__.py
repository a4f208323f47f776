"""The self-test: defects planted in the platform must be found, and a broken harness must not say PASSED."""
