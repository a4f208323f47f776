"""What people read after a drill."""
