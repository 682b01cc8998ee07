"""One run or analysis, from its options to its record: identify, fit, evaluate, analyze."""
