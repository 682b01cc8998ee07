"""VC dimension and fat-shattering dimension of the paper's networks, in numbers."""

from typing import Any

from rethink.report.results import Results
from rethink.report.style import architecture_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict, counted


def table(results: Results) -> Table:
    """A row for each network: W, L, bounds on the VC dimension, and what they say of 50,000 examples."""
    rows: list[list[Cell]] = [
        [
            architecture_style(name).label,
            *(row[key] for key in ("parameters", "layers", "vc_lower", "vc_upper", "vc_order")),
            row["vc_lower"],
            *(row["gap_bound"], row["gap_bound_of_lower"], row["examples_needed"]),
        ]
        for name, row in _networks(results).items()
    ]
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
        f"W: parameters, L: layers with weights. Bound on the gap at n = {_examples(results):,}, with 95 % "
        "probability: from 1 on it says nothing.",
        "VC dimension, to: Bartlett, Harvey, Liaw and Mehrabian (2019), Theorem 7; W L log2(W / L), over a constant, "
        "is reached by some network of that size. From: Baum and Haussler (1989), with two ReLUs for a threshold; none "
        "is known for these convolutional networks. Small AlexNet without its local response normalization.",
        "Fat-shattering: a ReLU network can multiply its outputs by any factor, so it shatters with any margin what it "
        "shatters at all. Bartlett's bound by l1 norms (1998) is for units with bounded values and does not apply."
        + _norms(results),
    ]
    return Table(columns, rows, "VC dimension of the paper's networks", notes, name="vc")


def _norms(results: Results) -> str:
    """What the bound would be given."""
    found = [float(analysed.values["largest_l1_norm"]) for analysed in results.analysed("NormMeasures")]
    if not found:
        return ""
    return f" The largest l1 norm of a unit in the networks measured below is {min(found):.3g} to {max(found):.3g}."


def verdict(results: Results) -> Verdict:
    """The bound is over 1 for every network; where no lower bound of the VC dimension is known, only that one is."""
    answers: list[tuple[str, bool | None]] = [
        (architecture_style(name).label, row["gap_bound"] >= 1) for name, row in _networks(results).items()
    ]
    lower = {architecture_style(name).label: row["gap_bound_of_lower"] for name, row in _networks(results).items()}
    over = [label for label, bound in lower.items() if bound is not None and bound >= 1]
    unknown = [label for label, bound in lower.items() if bound is None]
    more = f"With the least VC dimension it is over 1 too for {', '.join(over)}. " if over else ""
    more += f"No least one is known for {', '.join(unknown)}." if unknown else ""
    trend = f"The known upper bound of the VC dimension gives a bound over 1 at n = {_examples(results):,}: vacuous"
    return counted(trend, answers, "networks", more.rstrip())


def _networks(results: Results) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for analysed in results.analysed("Capacity"):
        found |= analysed.values["networks"]
    return found


def _examples(results: Results) -> int:
    return next((int(analysed.options["examples"]) for analysed in results.analysed("Capacity")), 50_000)
