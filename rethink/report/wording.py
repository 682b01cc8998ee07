"""What an artefact says in words: sentences from templates, and the names of rules, settings and runs."""

import math
import re
from collections.abc import Sequence
from typing import Any

import jinja2

from rethink.models.names import label, usual_batch_norm
from rethink.runs.run import Run
from rethink.runs.setting import Setting

_DRAWN = {
    "labels": ("RandomLabels", "PartiallyCorruptedLabels"),
    "pixels": ("ShuffledPixels", "RandomPixels", "GaussianPixels"),
}  # what a randomization draws, and which draw it

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


def draws(settings: Sequence[Setting]) -> list[str]:
    """What all seeds of a plan share, for captions and notes: the draw of the random labels and pixels, the levels."""
    seeds = {
        kind: {setting.options.get("randomization.seed", 0) for setting in settings if setting.randomization in names}
        for kind, names in _DRAWN.items()
    }
    shared = [kind for kind, of_kind in seeds.items() if len(of_kind) == 1]
    what = " and ".join(shared)
    draw = f"All seeds share one draw of the random {what}: the spread over seeds is that of training alone."
    nested = "The levels are nested: what is corrupted at one is corrupted alike at every higher one."
    levels = any(setting.randomization == "PartiallyCorruptedLabels" for setting in settings)
    return [draw, *([nested] if levels and "labels" in shared else [])] if shared else []


def measured_on(settings: Sequence[Setting]) -> list[str]:
    """On how many images test accuracies rest, for captions and notes, where these are not the whole test set."""
    sizes = {setting.architecture: int(setting.options.get("data.test_size") or 0) for setting in settings}
    networks: dict[int, list[str]] = {}
    for architecture, size in sizes.items():
        networks.setdefault(size, []).append(label(architecture))
    parts = []
    for size, names in sorted(networks.items()):
        of = f" ({', '.join(names)})" if len(networks) > 1 else ""
        error = f"with a standard error of up to {50 / math.sqrt(size):.1f} points" if size else ""
        parts += [f"{size:,} images{of}, {error}"] if size else []
    return [f"Of the test set a part is used: {'; '.join(parts)}."] if parts else []
