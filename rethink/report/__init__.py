"""From run records to figures, tables and one HTML page."""
