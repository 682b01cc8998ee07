"""What an artefact says in words: sentences from templates, and the names of rules, settings and runs."""

import re
from collections.abc import Sequence
from typing import Any

import jinja2

from rethink.models.names import label, usual_batch_norm
from rethink.runs.run import Run
from rethink.runs.setting import Setting

_TEMPLATES = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)


def sentence(template: str, **values: Any) -> str:
    """A jinja2 template filled in, in one line: its own line breaks are spaces, and none stands before a `.,;)`."""
    text = " ".join(_TEMPLATES.from_string(template).render(values).split())
    return re.sub(r" (?=[.,;)])", "", text)


def capitalized(text: str) -> str:
    """At the beginning of a sentence; AlexNet keeps its capitals."""
    return text[:1].upper() + text[1:]


def rule_words(rule: str) -> str:
    """A convergence rule for a sentence: `99 % training accuracy`, `training loss under 0.1`."""
    loss, _, share = rule.partition("accuracy>=")
    return f"training {loss.replace('<', ' under ')}" if loss else f"{100 * float(share):g} % training accuracy"


def network_name(architecture: str, batch_norm: bool) -> str:
    """As in the paper: what has batch norm in its recipe is named where it is without."""
    without = usual_batch_norm(architecture) and not batch_norm
    return label(architecture) + (" w/o BatchNorm" if without else "")


def setting_name(setting: Setting) -> str:
    """A setting without its seed, in a line: `small Inception w/o BatchNorm, true labels, weight decay 4e-05`."""
    text = setting.without_seed.label
    if usual_batch_norm(setting.architecture):
        text = text.replace(", batch norm", "", 1)
    return text.replace(setting.architecture, network_name(setting.architecture, setting.batch_norm), 1)


def run_name(run: Run) -> str:
    """A run in a line: its setting and its seed."""
    return f"{setting_name(run.setting)}, seed {run.seed}"


def evaluations(runs: Sequence[Run]) -> list[str]:
    """A note where networks are evaluated every few epochs only: times to fit are known to no more than that."""
    networks: dict[int, dict[str, None]] = {}
    for run in runs:
        epochs, _ = run.curve("train/accuracy", "epoch")
        if len(epochs) > 1 and (step := int(epochs[1] - epochs[0])) > 1:
            networks.setdefault(step, {})[label(run.architecture)] = None
    listed = "; ".join(f"every {step} epochs {', '.join(names)}" for step, names in sorted(networks.items()))
    return [f"Evaluated only {listed}: when they fit is known to no more than that."] if networks else []
