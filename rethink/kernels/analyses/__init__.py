"""Kernel machines on the paper's images, and the implicit regularization of SGD."""
