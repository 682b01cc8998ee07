"""Understanding deep learning requires rethinking generalization (Zhang et al., ICLR 2017), reproduced."""

__version__ = "0.1.0"
