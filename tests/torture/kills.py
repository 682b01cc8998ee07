"""Runs that are killed or asked to stop, one to four times, and then the same command again."""

import random
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGSTOP, SIGTERM

from torture import commands, references, settings
from torture.commands import Ended
from torture.moments import Moment, strike
from torture.outcome import Outcome

RANK_SECONDS = 180.0
"""Within which a run ends that has lost a rank: the timeout of the ranks is a minute or two."""
_EXIT_CODES = {SIGINT: (130,), SIGTERM: (75,), SIGHUP: (75, 129)}


def killed(chance: random.Random, place: Path) -> Outcome:
    """SIGKILL to all its processes at chosen moments, as when a machine loses its power."""
    setting = settings.draw(chance)
    reference, all_steps = references.finished(setting)
    words = (*setting.words, *settings.OFTEN)
    moments = [Moment.draw(chance, setting.steps) for _ in range(chance.choice((1, 1, 2, 3, 4)))]
    done, trail, faults = f"{setting}: {', '.join(map(str, moments))}", [], 0
    for moment in moments:
        act = strike(SIGKILL, group=True)
        ended = commands.run(words, place, sabotage=lambda moment=moment, act=act: moment.arrange(act))
        trail.append(ended)
        faults += ended.code == -SIGKILL
        if ended.fault or ended.code not in (0, -SIGKILL):
            return Outcome(ended.fault or "lost", faults, done, _detail(trail))
    saved = references.saved(place)
    trail.append(commands.run(words, place))
    what, why = judge(trail[-1], place, reference)
    if what == "recovered" and saved and trail[-1].steps >= all_steps:
        what, why = "lost", "it began anew, although it was saved"
    return Outcome(what, faults, done, _detail(trail, why))


def asked(chance: random.Random, place: Path) -> Outcome:
    """SIGINT, SIGTERM or SIGHUP at a moment: it saves itself, so that no step is taken twice."""
    setting = settings.draw(chance)
    number = chance.choice(list(_EXIT_CODES))
    reference, all_steps = references.finished(setting)
    words = (*setting.words, *chance.choice((settings.OFTEN, settings.RARELY)))
    if chance.random() < 0.7:
        moment = Moment(chance.randrange(setting.steps))
        act = strike(number, group=setting.ranks == 2 or number != SIGTERM, rank=0 if setting.ranks == 2 else None)
        first = commands.run(words, place, sabotage=lambda: moment.arrange(act))
    else:
        seconds = chance.uniform(0.05, 2.0)
        moment = f"{seconds:.2f} s"
        first = commands.run(words, place, deliver=(number, seconds))
    done = f"{setting}: {number.name} at {moment}"
    if first.fault:
        return Outcome(first.fault, 1, done, _detail([first]))
    last = commands.run(words, place)
    what, why = judge(last, place, reference)
    if what == "recovered" and first.code != 0:  # else it was done before
        if first.steps + last.steps > all_steps:
            what, why = "lost", f"{first.steps} + {last.steps} steps were taken for {all_steps}"
        elif first.code not in _EXIT_CODES[number] and (first.code, first.steps) != (-number, 0):  # before it began
            what, why = "wrong", f"exit code {first.code} for {number.name}"
    return Outcome(what, 1, done, _detail([first, last], why))


def rank_lost(chance: random.Random, place: Path) -> Outcome:
    """One of two ranks is killed or stopped: the run ends within the timeout, says so in a line, and goes on."""
    setting = settings.draw(chance, "MLP", ranks=2)
    reference, _ = references.finished(setting)
    words = (*setting.words, *settings.OFTEN)
    number, rank, moment = chance.choice((SIGKILL, SIGSTOP)), chance.randrange(2), Moment(chance.randrange(24))
    done = f"{setting}: {number.name} to rank {rank} at {moment}"
    act = strike(number, rank=rank)
    first = commands.run(words, place, sabotage=lambda: moment.arrange(act), seconds=RANK_SECONDS)
    if first.fault or first.code == 0 or "rank" not in first.output.replace(str(place), ""):
        return Outcome(first.fault or "wrong", 1, done, _detail([first], "it must say which rank was lost"))
    last = commands.run(words, place)
    what, why = judge(last, place, reference)
    return Outcome(what, 1, done, _detail([first, last], why))


def judge(ended: Ended, place: Path, reference: Path) -> tuple[str, str]:
    """What came of the command that was to finish the run of a working folder, and why."""
    if ended.fault or ended.code != 0:
        return ended.fault or "lost", "the same command does not go on"
    other = references.differences(references.the_run(place), reference)
    return ("wrong", f"other {' and '.join(other)}") if other else ("recovered", "")


def _detail(trail: list[Ended], why: str = "") -> str:
    return "\n".join([*map(str, trail), *([f"-> {why}"] if why else [])])
