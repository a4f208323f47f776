"""Where a drill happens: an AWS account, or its local double."""
