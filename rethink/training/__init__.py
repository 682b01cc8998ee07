"""What trains a network: the SGD step, precision, metrics, and what Lightning has no public door for."""
