"""What a network's layers hold: similarity, linear probes, alignment with the data, distances between images."""
