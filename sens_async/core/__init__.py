"""Decisions, as functions of values: no clock, no socket, no randomness."""
