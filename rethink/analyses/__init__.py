"""What an analysis is: a computation with a record, of data or of finished runs. The analyses are in the wings."""

from rethink.analyses.analysis import Analysis as Analysis
