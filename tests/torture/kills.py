"""Runs that are killed or asked to stop, one to four times, and then the same command again."""

import random
import signal
from pathlib import Path

from torture import commands, references, settings
from torture.commands import Ended
from torture.moments import Moment, in_rank, kill_all, signal_all, signal_self
from torture.outcome import Outcome

RANK_SECONDS = 180.0
"""Within which a run ends that has lost a rank: the timeout of the ranks is a minute or two."""
_EXIT_CODES = {signal.SIGINT: (130,), signal.SIGTERM: (75,), signal.SIGHUP: (75, 129)}


def killed(chance: random.Random, place: Path) -> Outcome:
    """SIGKILL to all its processes at chosen moments."""
    setting = settings.draw(chance)
    reference, all_steps = references.finished(setting)
    references.new_place(place)
    moments = [Moment.draw(chance, setting.steps) for _ in range(chance.choice((1, 1, 2, 3, 4)))]
    done, trail, faults = _said(setting, moments), [], 0
    for moment in moments:
        ended = commands.run(setting.words, place, sabotage=lambda moment=moment: moment.arrange(kill_all))
        trail.append(ended)
        faults += ended.code == -signal.SIGKILL
        if ended.fault or ended.code not in (0, -signal.SIGKILL):
            return Outcome(ended.fault or "lost", faults, done, _detail(trail))
    saved = _saved(place)
    trail.append(commands.run(setting.words, place))
    what, why = _judged(trail[-1], place, reference)
    if what == "recovered" and saved and trail[-1].steps >= all_steps:
        what, why = "lost", "it began anew, although it was saved"
    return Outcome(what, faults, done, _detail(trail, why))


def asked(chance: random.Random, place: Path) -> Outcome:
    """SIGINT, SIGTERM or SIGHUP at a moment: it saves itself, so that no step is taken twice."""
    setting = settings.draw(chance)
    number = chance.choice(list(_EXIT_CODES))
    reference, all_steps = references.finished(setting)
    references.new_place(place)
    if chance.random() < 0.7:
        moment = Moment(chance.randrange(setting.steps))
        send = signal_self(number) if number == signal.SIGTERM and setting.ranks == 1 else signal_all(number)
        act = in_rank(0, send) if setting.ranks == 2 else send
        first = commands.run(setting.words, place, sabotage=lambda: moment.arrange(act))
        done = f"{number.name} at {moment}"
    else:
        after = chance.uniform(0.05, 2.0)
        first = commands.run(setting.words, place, deliver=(number, after))
        done = f"{number.name} after {after:.2f} s"
    done, trail = _said(setting, [done]), [first]
    if first.fault:
        return Outcome(first.fault, 1, done, _detail(trail))
    trail.append(commands.run(setting.words, place))
    what, why = _judged(trail[-1], place, reference)
    if what == "recovered" and first.code == 0:
        return Outcome(what, 0, done)  # it was done before
    if what == "recovered" and first.steps + trail[-1].steps > all_steps:
        what, why = "lost", f"{first.steps} + {trail[-1].steps} steps were taken for {all_steps}"
    elif what == "recovered" and first.code not in _EXIT_CODES[number]:
        what, why = "wrong", f"exit code {first.code} for {number.name}"
    return Outcome(what, 1, done, _detail(trail, why))


def rank_lost(chance: random.Random, place: Path) -> Outcome:
    """One of two ranks is killed or stopped: the run ends within the timeout, says so in a line, and goes on."""
    setting = settings.draw(chance, "MLP", ranks=2)
    reference, _ = references.finished(setting)
    references.new_place(place)
    number, rank = chance.choice((signal.SIGKILL, signal.SIGSTOP)), chance.randrange(2)
    moment = Moment(chance.randrange(setting.steps))
    done = _said(setting, [f"{number.name} to rank {rank} at {moment}"])
    act = in_rank(rank, signal_self(number))
    first = commands.run(setting.words, place, sabotage=lambda: moment.arrange(act), seconds=RANK_SECONDS)
    if first.fault:
        return Outcome(first.fault, 1, done, _detail([first]))
    if first.code == 0 or "rank" not in first.output:
        return Outcome("wrong", 1, done, _detail([first], "it does not say that a rank was lost"))
    last = commands.run(setting.words, place)
    what, why = _judged(last, place, reference)
    return Outcome(what, 1, done, _detail([first, last], why))


def _judged(ended: Ended, place: Path, reference: Path) -> tuple[str, str]:
    """What came of the command that was to finish the run."""
    if ended.fault:
        return ended.fault, ""
    if ended.code != 0:
        return "lost", "the same command does not go on"
    other = references.differences(references.the_run(place), reference)
    return ("wrong", f"other {' and '.join(other)}") if other else ("recovered", "")


def _saved(place: Path) -> bool:
    """Whether a run is unfinished and has a checkpoint."""
    folders = [path for path in (place / "runs").glob("*") if path.is_dir() and not path.name.startswith(".")]
    return any(
        any((folder / "checkpoints" / name).exists() for name in ("last.ckpt", "previous.ckpt"))
        and not (folder / "record.json").exists()
        for folder in folders
    )


def _said(setting: settings.Setting, moments: list) -> str:
    model = setting.words[setting.words.index("--model") + 1]
    return f"{model}, {setting.ranks} ranks of {setting.steps} steps: {', '.join(map(str, moments))}"


def _detail(trail: list[Ended], why: str = "") -> str:
    return "\n".join([*map(str, trail), *([f"-> {why}"] if why else [])])
