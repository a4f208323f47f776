"""How we look: steady-state probes ask staging, measuring probes judge a history."""
