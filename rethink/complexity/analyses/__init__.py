"""Complexity measures of the paper's networks and of finished runs."""
