"""Figure 1a of the demo's network: the same rows, curves and verdicts, of other runs."""

from experiments.fig1a.figures import artefact as artefact
