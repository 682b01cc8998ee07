"""Section 5 and Table 3: kernel machines of least norm, and what gradient descent on least squares converges to."""
