"""The domain of a drill, and the conductor that runs one."""
