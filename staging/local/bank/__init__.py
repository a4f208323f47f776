"""The banking API under test."""
