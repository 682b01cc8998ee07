"""One process among others on a machine or a cluster: the lease of a folder, signals, SLURM."""
