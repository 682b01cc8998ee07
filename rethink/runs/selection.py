"""Which runs are meant, by texts of their descriptions and by values: for `rethink show` and for sweeps' `--only`.

`MLP 1x512` is part of a description, whatever its case. `model.weight_decay=0.0` is the value of an option, by its
dotted name or by its short one; `architecture`, `randomization`, `corruption`, `dataset` and `seed` are names too, and
so is `outcome`. Of several texts a run has any; of several values of a name it has any; of several names it has all.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

from rethink.errors import UserError, did_you_mean
from rethink.runs.setting import Setting, same_value

OUTCOME = "outcome"
_CONDITION = re.compile(r"([a-z_]\w*(?:\.\w+)*)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Selection:
    """A choice of runs; an empty one has all."""

    texts: tuple[str, ...] = ()
    values: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    """Name -> the values that are wanted of it."""

    @classmethod
    def of(cls, words: Iterable[str]) -> Self:
        """From texts and conditions as a person writes them."""
        texts, values = [], dict[str, list[Any]]()
        for word in map(str, words):
            if match := _CONDITION.fullmatch(word):
                values.setdefault(match[1], []).append(_parsed(match[2]))
            else:
                texts.append(word.lower())
        return cls(tuple(texts), tuple((name, tuple(wanted)) for name, wanted in values.items()))

    def has(
        self, outcomes: Callable[[], Iterable[str]], setting: Callable[[], Setting | None], label: str = ""
    ) -> bool:
        """Whether a run is chosen. What is not asked for is not worked out.

        Args:
            outcomes: Words of how it ended, or of its state.
            setting: Its setting; None for an analysis.
            label: Its description, if it is not that of the setting.
        """
        named = dict(self.values)
        if not _any_of(named.pop(OUTCOME, ()), outcomes):
            return False
        if not named and not self.texts:
            return True
        chosen = setting()
        text = (label or (chosen.label if chosen else "")).lower()
        return (not self.texts or any(part in text for part in self.texts)) and all(
            chosen is not None and any(same_value(chosen.value(name), value) for value in wanted)
            for name, wanted in named.items()
        )

    def require_known(self, settings: Iterable[Setting]) -> None:
        """For a choice that is empty: a name that no run has is likely a slip.

        Raises:
            UserError: It names the nearest ones.
        """
        there = {name for setting in settings for name in (*setting.resolved, *setting.options)}
        for name, _ in self.values:
            if "." in name and there and name not in there:
                raise UserError(f"no run has an option {name!r}.{did_you_mean(name, sorted(there))}")


def _any_of(wanted: Iterable[Any], there: Callable[[], Iterable[str]]) -> bool:
    words = [str(value) for value in wanted]
    return not words or not set(words).isdisjoint(there())


def _parsed(value: str) -> Any:
    """`0.0`, `5e-4`, `true`, `null` and lists as JSON; all else is text."""
    try:
        return json.loads(value)
    except ValueError:
        return value
