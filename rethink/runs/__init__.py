"""What a finished run is, on disk, and which number of it counts."""
