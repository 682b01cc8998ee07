"""What a run of Figure 2a takes: it is one of Table 2's."""

from experiments.table2.costs import of_run as of_run
