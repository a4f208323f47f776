"""The AWS API of the local staging."""
