"""Weights & Biases: mirrors of what lies in `runs/` and `results/`, and the workspace that shows them.

The files on disk are the truth. Nothing here needs torch, and nothing here is needed to train.
"""
