"""The traffic: users, arrival schedule, recorder, final reads."""
