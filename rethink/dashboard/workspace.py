"""The W&B workspaces: one with the paper's figures and tables as sections, and one for each with its own filter.

A workspace has one set of runs for all of its panels. So the first one shows every run, and its panels group by
`setting`, over which a mean is one over seeds; the others choose and group their runs as the paper does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rethink.dashboard.description import STEP
from rethink.errors import UserError

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

INSTALL = "pip install -e '.[dashboard]' in the repository"

COLUMNS = ("train/accuracy", "test/accuracy", "test_randomized/accuracy", "epochs_to_fit", "outcome")


@dataclass(frozen=True)
class Panel:
    """A plot: a "line" of a metric's history, a "scatter" or a "bar" of its last value."""

    kind: str
    title: str
    metric: str
    against: str = STEP
    """For a scatter plot a key of the configuration."""


@dataclass(frozen=True)
class Artefact:
    """A figure or table of the paper: its panels, and which runs it shows, by keys of the configuration."""

    name: str
    text: str
    panels: tuple[Panel, ...]
    only: dict[str, Any] = field(default_factory=dict)
    group_by: tuple[str, ...] = ()


PAPER = (
    Artefact(
        "Figure 1a",
        "Training loss against the step for true labels, random labels and three randomizations of the pixels; "
        "small Inception.",
        (Panel("line", "training loss", "train/loss"),),
        {
            "architecture": "SmallInception",
            "batch_norm": True,
            "regularization": "none",
            "randomization": ["TrueLabels", "RandomLabels", "ShuffledPixels", "RandomPixels", "GaussianPixels"],
        },
        ("randomization",),
    ),
    Artefact(
        "Figure 1b",
        "Epochs until the training set is fitted, against label corruption. A run that did not fit it has no point.",
        (Panel("scatter", "epochs to fit", "epochs_to_fit", "corruption"),),
        {"regularization": "none"},
        ("architecture",),
    ),
    Artefact(
        "Figure 1c",
        "Test error against label corruption: on the true test set, and on one corrupted alike.",
        (
            Panel("scatter", "test error", "test/error", "corruption"),
            Panel("scatter", "test error, labels corrupted alike", "test_randomized/error", "corruption"),
        ),
        {"regularization": "none"},
        ("architecture",),
    ),
    Artefact(
        "Figure 2b",
        "Training and test accuracy of small Inception against the step, with and without batch normalization.",
        (Panel("line", "training accuracy", "train/accuracy"), Panel("line", "test accuracy", "test/accuracy")),
        {"architecture": "SmallInception", "randomization": "TrueLabels", "regularization": "none"},
        ("batch_norm",),
    ),
    Artefact(
        "Table 1",
        "Final training and test accuracy by architecture, regularizers and labels.",
        (Panel("bar", "training accuracy", "train/accuracy"), Panel("bar", "test accuracy", "test/accuracy")),
        {"randomization": ["TrueLabels", "RandomLabels"]},
        ("architecture", "batch_norm", "regularization", "randomization"),
    ),
)


def build(entity: str, project: str) -> list["Workspace"]:
    """The workspaces, that with everything first. Needs no account.

    Raises:
        UserError: wandb-workspaces is not installed.
    """
    try:
        import wandb_workspaces.workspaces as ws
        from wandb_workspaces import expr
    except ImportError:
        raise UserError(f"wandb-workspaces is not installed: {INSTALL}") from None

    def workspace(name: str, artefacts: Sequence[Artefact], only: dict[str, Any], group_by: Sequence[str]) -> Any:
        filters = [expr.Metric("JobType") == "fit"]
        for key, value in only.items():
            filters.append(expr.Config(key).isin(value) if isinstance(value, list) else expr.Config(key) == value)
        return ws.Workspace(
            entity=entity,
            project=project,
            name=name,
            sections=[
                ws.Section(
                    name=artefact.name,
                    panels=[_markdown(artefact), *(_panel(panel, bool(group_by)) for panel in artefact.panels)],
                    is_open=True,
                )
                for artefact in artefacts
            ],
            settings=ws.WorkspaceSettings(x_axis=STEP, max_runs=100),
            runset_settings=ws.RunsetSettings(
                filters=filters,
                groupby=[expr.Config(name) for name in group_by],
                pinned_columns=[f"summary:{name}" for name in COLUMNS],
            ),
        )

    everything = workspace("Rethinking generalization", PAPER, {}, ())
    return [everything, *(workspace(a.name, [a], a.only, a.group_by) for a in PAPER)]


def _markdown(artefact: Artefact) -> Any:
    from wandb_workspaces.reports.v2 import MarkdownPanel

    shown = "; ".join(f"{k} = {' or '.join(v) if isinstance(v, list) else v}" for k, v in artefact.only.items())
    return MarkdownPanel(
        markdown=f"**{artefact.name}.** {artefact.text}\n\nThe workspace of this name shows the runs with {shown}."
    )


def _panel(panel: Panel, runs_are_grouped: bool) -> Any:
    """A panel; where the runs are not grouped, it groups them itself."""
    import wandb_workspaces.reports.v2 as wr

    if panel.kind == "scatter":
        return wr.ScatterPlot(title=panel.title, x=wr.Config(panel.against), y=wr.SummaryMetric(panel.metric))
    common: dict[str, Any] = {"title": panel.title}
    if not runs_are_grouped:
        common |= {"groupby": wr.Config("setting"), "groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"}
    if panel.kind == "bar":
        return wr.BarPlot(metrics=[panel.metric], max_bars_to_show=100, **common)
    return wr.LinePlot(x=panel.against, y=[panel.metric], max_runs_to_show=100, **common)


def spec(workspace: "Workspace") -> dict[str, Any]:
    """What would be saved, as JSON."""
    view: dict[str, Any] = workspace._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
    return view


def save(workspace: "Workspace") -> str:
    """Saves a workspace as a new view, and returns its address.

    Raises:
        UserError: There is no key, or W&B does not answer.
    """
    from rethink.dashboard import session

    try:
        session.log_in(session.Target("online", workspace.project))
    except session.NotPushed as error:
        raise UserError(f"cannot save the workspace: {error}. With --print it is written as JSON.") from None
    try:
        workspace.save()
        return str(workspace.url)
    except Exception as error:  # wandb raises errors of many kinds; none of them is ours
        raise UserError(f"cannot save the workspace: {session.one_line(error)}. Try again later.") from error
