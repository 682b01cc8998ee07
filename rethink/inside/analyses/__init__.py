"""The look inside finished runs."""
