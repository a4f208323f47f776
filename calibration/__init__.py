"""The instrument against a truth known from outside: a server that fails on command and says when."""
