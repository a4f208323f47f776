"""AWS Backup in two regions: vaults, plans, recovery points on disk, and jobs that take their time."""
