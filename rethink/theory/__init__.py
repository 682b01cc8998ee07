"""Sections 2.2, 4 and 5 of the paper as functions of tensors: no training of networks, no files, no records."""
