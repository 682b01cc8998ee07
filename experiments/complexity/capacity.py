"""VC dimension and fat-shattering dimension of the paper's networks, in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rethink.models.names import label
from rethink.report.results import Results
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Verdict, counted


@dataclass(frozen=True)
class Capacity:
    """Of every network its sizes and bounds, and for how many examples; and the l1 norms that were measured."""

    networks: dict[str, dict[str, Any]]
    examples: int
    l1_norms: Sequence[float]


def rows(results: Results) -> Capacity:
    """Of the paper's networks."""
    analyses = results.analysed("Capacity")
    networks = {label(name): values for analysis in analyses for name, values in analysis.values["networks"].items()}
    examples = next((int(analysis.options["examples"]) for analysis in analyses), 50_000)
    norms = [float(analysis.values["largest_l1_norm"]) for analysis in results.analysed("NormMeasures")]
    return Capacity(networks, examples, norms)


def table(capacity: Capacity) -> Table:
    """A row for each network: W, L, bounds on the VC dimension, and what they say of 50,000 examples."""
    norms = capacity.l1_norms
    measured = (
        f" The largest l1 norm of a unit in the networks measured below is {min(norms):.3g} to {max(norms):.3g}."
        if norms
        else ""
    )
    columns = [
        Column.text("network", "architecture"),
        *(Column("W", "parameters", format=","), Column("L", "layers")),
        *(Column("VC dimension from", "vc_lower", format=","), Column("to", "vc_upper", format=".2g")),
        Column("W L log2(W / L)", "vc_order", format=".2g"),
        Column("fat-shattering from, any scale", "fat_shattering_lower", format=","),
        Column("bound on the gap", "gap_bound", format=".2f"),
        Column("if the VC dimension is the least", "gap_bound_of_lower", format=".2f"),
        Column("examples for a bound of 1", "examples_needed", format=".2g"),
    ]
    notes = [
        f"W: parameters, L: layers with weights. Bound on the gap at n = {capacity.examples:,}, with 95 % "
        "probability: from 1 on it says nothing.",
        "VC dimension, to: Bartlett, Harvey, Liaw and Mehrabian (2019), Theorem 7; W L log2(W / L), over a constant, "
        "is reached by some network of that size. From: Baum and Haussler (1989), with two ReLUs for a threshold; none "
        "is known for these convolutional networks. Small AlexNet without its local response normalization.",
        "Fat-shattering: a ReLU network can multiply its outputs by any factor, so it shatters with any margin what it "
        "shatters at all. Bartlett's bound by l1 norms (1998) is for units with bounded values and does not apply."
        + measured,
    ]
    return Table(
        columns,
        [
            [
                network,
                *(row[key] for key in ("parameters", "layers", "vc_lower", "vc_upper", "vc_order")),
                row["vc_lower"],
                *(row["gap_bound"], row["gap_bound_of_lower"], row["examples_needed"]),
            ]
            for network, row in capacity.networks.items()
        ],
        "VC dimension of the paper's networks",
        notes,
        name="vc",
    )


def verdict(capacity: Capacity) -> Verdict:
    """The bound is over 1 for every network; where no lower bound of the VC dimension is known, only that one is."""
    bounds = {network: row["gap_bound_of_lower"] for network, row in capacity.networks.items()}
    over = ", ".join(network for network, bound in bounds.items() if bound is not None and bound >= 1)
    unknown = ", ".join(network for network, bound in bounds.items() if bound is None)
    more = f"With the least VC dimension it is over 1 too for {over}. " if over else ""
    more += f"No least one is known for {unknown}." if unknown else ""
    return counted(
        f"The known upper bound of the VC dimension gives a bound over 1 at n = {capacity.examples:,}: vacuous",
        [(network, row["gap_bound"] >= 1) for network, row in capacity.networks.items()],
        "networks",
        more.rstrip(),
        n=None,
    )
