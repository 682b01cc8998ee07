"""`make torture`: trials for so many minutes, and a table of what came of them; exit code 1 if any failed."""

import argparse
import os
import secrets
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import torch

from torture import outcome, references, trials, warming


def main() -> None:
    """Runs it."""
    options = _options()
    torch.set_num_threads(1)
    os.chdir(references.REPOSITORY)
    warming.warm()
    references.forget_other_code()
    numbers = options.trial or range(options.trials)
    wanted = [(number, trials.kind_of(number)) for number in numbers]
    if options.kind:
        wanted = [(number, options.kind) for number in numbers]
    print(f"seed {options.seed}, {options.workers} workers, {options.minutes:g} minutes at most", flush=True)
    ended = []
    for trial in trials.play_all(options.seed, wanted, options.workers, options.minutes * 60):
        ended.append(trial)
        if trial.failed or trial.outcome.what == "skipped" or options.verbose or options.trial:
            _show(trial, options)
    print(outcome.table(ended))
    failed = [trial for trial in ended if trial.failed]
    for trial in failed:
        print(f"{trial.outcome.what}: {_again(trial, options)}    # {trial.outcome.done}")
    if options.markdown:
        options.markdown.write_text(_page(ended, options.seed))
    raise SystemExit(bool(failed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="after which no trial is begun (default: 30)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="default: a new one each time")
    parser.add_argument("--trials", type=int, default=10_000, help="at most")
    parser.add_argument("--trial", type=int, action="append", help="this one, told whole; may be repeated")
    parser.add_argument("--kind", choices=trials.KINDS, help="trials of this kind only")
    parser.add_argument("--workers", type=int, default=2, help="trials at a time (default: 2)")
    parser.add_argument("--verbose", action="store_true", help="tell every trial, not only those that failed")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file, with date and commit")
    return parser.parse_args()


def _show(trial: outcome.Trial, options: argparse.Namespace) -> None:
    print(f"\n--- trial {trial.number}, {trial.kind}: {trial.outcome.what}. {trial.outcome.done}")
    if trial.failed or options.trial or trial.outcome.what == "skipped":
        print(trial.outcome.detail)
    sys.stdout.flush()


def _again(trial: outcome.Trial, options: argparse.Namespace) -> str:
    kind = f" --kind '{options.kind}'" if options.kind else ""
    return f"PYTHONPATH=tests .venv/bin/python -m torture --seed {options.seed} --trial {trial.number}{kind}"


def _page(ended: list[outcome.Trial], seed: int) -> str:
    command = ["git", "-C", str(references.REPOSITORY), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
    skipped = sorted({f"- {t.kind} was skipped: {t.outcome.detail}" for t in ended if t.outcome.what == "skipped"})
    return "\n".join(
        [
            "# Torture: damage, kills and interruptions",
            "",
            f"`make torture`, seed {seed}, commit {commit}, {datetime.now(UTC):%Y-%m-%d}.",
            "",
            outcome.table(ended),
            *skipped,
            "",
        ]
    )


if __name__ == "__main__":
    main()
