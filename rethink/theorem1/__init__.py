"""Theorem 1 and Corollary 1: small ReLU networks that represent any function on n points (Section 2.2, Appendix C)."""
