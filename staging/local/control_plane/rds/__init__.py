"""The RDS API over the database clusters: it says what they say, and they do what it is told."""
