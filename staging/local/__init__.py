"""The local double of the platform, with a real data plane."""
