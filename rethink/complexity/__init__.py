"""Section 2.2: VC dimension, Rademacher complexity, uniform stability, and norm measures of trained networks."""
