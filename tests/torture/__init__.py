"""Damage, kills and interruptions, drawn from a seed: `make torture`. See `torture.trial` for what is drawn."""
