"""Analyses of an experiment: planned from data and from runs, after the runs that they need, each once."""

import json
import shlex

import pytest

import rethink.running.analysis
from rethink.analyses.analysis import Analysis, Context, Result, RunAnalysis
from rethink.cli import main
from rethink.cluster.preemption import signals_noted
from rethink.errors import UserError
from rethink.report.results import Results
from rethink.running.identification import identify_analysis
from rethink.runs.analysis import FinishedAnalysis
from rethink.runs.run import final_weights, runs_folder, weights_of_epoch
from rethink.sweep import cancellation, execution, local
from rethink.sweep.experiment import Experiment
from rethink.sweep.jobs import PlannedAnalysis, PlannedRun
from rethink.sweep.plan import Plan, plan

SWEEP = """
title: two runs, and what is found in them
layers: [configs/base.yaml, configs/data/synthetic.yaml, "configs/model/{architecture}.yaml"]
options: {architecture: mlp_1x512, "model.hidden_sizes": [8], trainer.max_epochs: 2, data.train_size: 64}
groups:
  - grid: {data.randomization: [RandomLabels, TrueLabels]}
analyses:
  - analysis: Counting
    options: {n: 3}
    grid: {step: [1, 2]}
    demo: {grid: {step: [1]}}
  - {analysis: Sizes, of: run, only: [random labels]}
  - {analysis: Sizes, of: seed}
  - {analysis: Sizes, of: all, options: {power: 2}}
"""


class Counting(Analysis):
    """Counts.

    Args:
        n: How far.
        step: By how much.
        seed: Seed of everything that is drawn.
    """

    def __init__(self, n: int, step: int = 1, seed: int = 0) -> None:
        super().__init__(seed)
        if n < 0:
            raise UserError(f"--n {n} is negative.")
        self.n, self.step = n, step

    def analyse(self, context: Context) -> Result:
        return Result({"count": len(range(0, self.n, self.step))})


class Sizes(RunAnalysis):
    """Sums the sizes of training sets.

    Args:
        runs: Which.
        power: Of each.
        seed: Seed of everything that is drawn.
    """

    def __init__(self, runs: list[str], power: int = 1, seed: int = 0) -> None:
        super().__init__(runs, seed)
        self.power = power

    def analyse(self, context: Context) -> Result:
        return Result({"sum": sum(run.train_size**self.power for run in self.opened())})


@pytest.fixture
def experiment(tmp_path, monkeypatch, runs):
    """An experiment that all commands find."""
    known = {"Counting": Counting, "Sizes": Sizes}
    monkeypatch.setattr(rethink.running.analysis, "find_analyses", lambda: known)

    def load(text: str = SWEEP, **options) -> Experiment:
        (tmp_path / "tiny").mkdir(exist_ok=True)
        (tmp_path / "tiny" / "sweep.yaml").write_text(text)
        loaded = Experiment.load("tiny", root=tmp_path, **options)
        monkeypatch.setattr("rethink.cli.sweep.Experiment.load", lambda *_: loaded)
        return loaded

    return load


@pytest.fixture
def here(monkeypatch):
    """The local launcher works in this process; what it was given, wave by wave."""
    waves: list[list[str]] = []

    def work(jobs, watch, workers=None, devices=1):
        waves.append([job.id for job in jobs])
        outcomes = {job.id: execution.run_job(job.command, job.folder) for job in jobs}
        return {name: outcome.error for name, outcome in outcomes.items() if outcome.what != "done"}

    monkeypatch.setattr(local, "run", work)
    return waves


def test_analyses_of_data_and_of_runs_are_planned(experiment):
    planned = plan(experiment(seeds=[0, 1]))
    assert [run.label for run in planned.runs] == [
        f"MLP 1x8, {labels} labels, Synthetic, 64 images, 2 epochs, seed {seed}"
        for seed in (0, 1)
        for labels in ("random", "true")
    ]
    assert [analysis.label for analysis in planned.analyses] == [
        "Counting, n 3, seed 0, step 1",
        "Counting, n 3, seed 0, step 2",
        "Sizes, of MLP 1x8, random labels, Synthetic, 64 images, 2 epochs, seed 0, seed 0",
        "Sizes, of MLP 1x8, random labels, Synthetic, 64 images, 2 epochs, seed 0 and 1 more, seed 0",
        "Counting, n 3, seed 1, step 1",
        "Counting, n 3, seed 1, step 2",
        "Sizes, of MLP 1x8, random labels, Synthetic, 64 images, 2 epochs, seed 1, seed 1",
        "Sizes, of MLP 1x8, random labels, Synthetic, 64 images, 2 epochs, seed 1 and 1 more, seed 1",
        "Sizes, of MLP 1x8, random labels, Synthetic, 64 images, 2 epochs, seed 0 and 3 more, power 2, seed 0",
    ]
    assert [len(analysis.needs) for analysis in planned.analyses] == [0, 0, 1, 2, 0, 0, 1, 2, 4]
    assert planned.analyses[2].needs == (planned.runs[0].folder,)
    assert len({job.id for job in planned.jobs}) == 13


def test_a_scale_changes_the_analyses(experiment):
    planned = plan(experiment(scale="demo"))
    assert [analysis.kind for analysis in planned.analyses] == ["Counting", "Sizes", "Sizes", "Sizes"]


def test_an_analysis_may_have_seeds_of_its_own(experiment):
    text = (
        "title: x\nseeds: [5]\nanalyses:\n- {analysis: Counting, options: {n: 1}, grid: {seed: [0, 1]}}\n"
        "- {analysis: Counting, options: {n: 2}}"
    )
    assert [one.label for one in plan(experiment(text)).analyses] == [
        "Counting, n 1, seed 0",
        "Counting, n 1, seed 1",
        "Counting, n 2, seed 5",
    ]


def test_an_option_at_its_default_leaves_the_identity_alone(experiment):
    experiment()
    assert identify_analysis(["Counting", "--n", "3"]) == identify_analysis(
        ["Counting", "--n", "3", "--step", "1", "--seed", "0"]
    )
    assert identify_analysis(["Counting", "--n", "3"]) != identify_analysis(["Counting", "--n", "3", "--step", "2"])


def test_analyses_come_after_the_runs_that_they_need_and_once(experiment, here, capsys):
    loaded = experiment(seeds=[0])
    planned = plan(loaded)
    assert [job.ready for job in planned.analyses] == [True, True, False, False, False]
    main(["sweep", "run", "tiny"])
    assert here == [[run.id for run in planned.runs], [analysis.id for analysis in planned.analyses]]
    assert {job.state for job in planned.jobs} == {"done"}
    results = Results.load(loaded)
    assert len(results.analyses) == 5
    assert results.missing_analyses == []
    assert [each.values["count"] for each in results.analysed("Counting", n=3)] == [3, 2]
    assert [each.values["count"] for each in results.analysed("Counting", step=2)] == [2]
    assert [each.values["sum"] for each in results.analysed("Sizes")] == [64, 128, 8192]
    assert [results.run(name).train_size for name in results.analysed("Sizes")[1].runs] == [64, 64]
    main(["sweep", "run", "tiny"])
    assert len(here) == 2
    main(["sweep", "status", "tiny", "--once"])
    assert "7 done" in capsys.readouterr().out


def test_what_needs_a_failed_run_waits_and_says_so(experiment, here, capsys, monkeypatch):
    planned = plan(experiment(seeds=[0]))
    train = execution.run_job

    def fails(words, folder, devices=1):
        broken = folder == planned.runs[0].folder
        return execution.Outcome("failed", "it broke") if broken else train(words, folder, devices)

    monkeypatch.setattr(execution, "run_job", fails)
    with pytest.raises(SystemExit):
        main(["sweep", "run", "tiny"])
    said = capsys.readouterr()
    assert "3 of 7 wait because runs that they need are not done." in said.out
    assert "it broke" in said.err
    assert [analysis.state for analysis in planned.analyses] == ["done", "done", "missing", "missing", "missing"]


def test_what_is_cancelled_while_runs_are_made_is_not_analysed(experiment, here, monkeypatch, capsys):
    planned = plan(experiment(seeds=[0]))
    work = local.run

    def cancelled_meanwhile(jobs, watch, workers=None, devices=1):
        cancellation.mark(planned.analyses)
        return work(jobs, watch)

    monkeypatch.setattr(local, "run", cancelled_meanwhile)
    with pytest.raises(SystemExit):
        main(["sweep", "run", "tiny"])
    assert here == [[run.run_id for run in planned.runs]]
    said = capsys.readouterr().err
    assert said.count("cancelled; the same command goes on") == len(planned.analyses)
    monkeypatch.setattr(local, "run", work)
    main(["sweep", "run", "tiny"])
    assert {job.state for job in planned.jobs} == {"done"}


def test_a_run_is_made_again_where_its_weights_are_needed(experiment, here, capsys):
    planned = plan(experiment(seeds=[0]))
    first, second = planned.runs
    assert first.needed
    main(["sweep", "run", "tiny", "--only", "MLP"])
    final_weights(first.folder).unlink()
    assert (first.done, second.done) == (False, True)
    of_first = next(analysis for analysis in planned.analyses if first.folder in analysis.needs)
    assert not of_first.ready
    before = (first.folder / "history.csv").read_text().split("seconds")[0]
    here.clear()
    main(["sweep", "run", "tiny", "--only", "MLP"])
    assert here[0] == [first.run_id]
    assert (first.folder / "history.csv").read_text().split("seconds")[0] == before
    assert final_weights(first.folder).exists()


@pytest.mark.parametrize(
    ("launcher", "file", "asked"),
    [
        (("slurm", "--export-only"), "array.sh", ("--gpus-per-node=1", "--mem=16G", "--mem=24G")),
        (("kubernetes",), "job.yaml", ("nvidia.com/gpu: 1", "memory: 16Gi", "memory: 24Gi")),
    ],
)
def test_a_cluster_is_asked_for_other_things_for_analyses(launcher, file, asked, experiment, here, capsys):
    experiment(seeds=[0])
    main(["sweep", "run", "tiny", "--launcher", *launcher])
    folders = runs_folder() / ".sweeps"
    runs, analyses = ((folders / name / file).read_text() for name in ("tiny-full", "tiny-full-analyses"))
    assert [text in runs for text in asked] == [True, True, False]
    assert [text in analyses for text in asked] == [True, False, True]
    said = capsys.readouterr().out
    assert ": 2 runs. Send it off with" in said
    assert ": 2 analyses. Send it off with" in said  # those of runs come when these are done


def test_the_print_launcher_prints_runs_then_analyses(experiment, capsys):
    loaded = experiment(seeds=[0])
    main(["sweep", "run", "tiny", "--launcher", "print"])
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert [line[1] for line in lines] == ["fit"] * 2 + ["analyze"] * 5
    assert [tuple(line[1:]) for line in lines] == [job.command for job in plan(loaded).jobs]


def test_a_list_of_commands_may_hold_analyses(experiment, tmp_path, capsys):
    planned = plan(experiment(seeds=[0]))
    (tmp_path / "commands.txt").write_text(shlex.join(["rethink", *planned.analyses[1].command]) + "\n")
    main(["sweep", "task", str(tmp_path / "commands.txt"), "0"])
    assert FinishedAnalysis.open(planned.analyses[1].folder).values == {"count": 2}
    (tmp_path / "commands.txt").write_text("rethink show\n")
    with pytest.raises(SystemExit):
        main(["sweep", "task", str(tmp_path / "commands.txt"), "0"])
    assert "is no `rethink fit ...` and no `rethink analyze ...`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("analyses: [{of: run}]", "analysis 1 has no `analysis:`"),
        ("analyses: [{analysis: Counting, of: runs}]", "`of: runs` of analysis 1 is none of run, seed, all"),
        ("analyses: [{analysis: Counting, grid: {n: 3}}]", "grid n of analysis 1 is 3, and not a list"),
        ("analyses: [{analysis: Counting, option: {n: 3}}]", "option"),
        ("analyses: [{analysis: Counting, demo: {only: [x]}}]", "only"),
    ],
)
def test_a_specification_that_means_nothing_is_named(experiment, text, said):
    with pytest.raises(UserError, match="tiny") as error:
        experiment("title: x\n" + text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("analysis", "said"),
    [
        ("{analysis: Countin}", "there is no analysis 'Countin'. Did you mean 'Counting'?"),
        ("{analysis: Counting, options: {m: 3}}", "--m"),
        ("{analysis: Counting, options: {n: many}}", "--n"),
    ],
)
def test_an_analysis_that_cannot_be_is_refused_and_the_others_are_planned(experiment, analysis, said):
    planned = plan(
        experiment(f"title: x\nseeds: [0]\nanalyses: [{analysis}, {{analysis: Counting, options: {{n: 1}}}}]")
    )
    (line,) = planned.refused
    assert "sweep.yaml" in line
    assert said in line
    assert [one.label for one in planned.analyses] == ["Counting, n 1, seed 0"]


# Runs that need others.


REFERRING = """
title: one run from the weights of another
layers: [configs/base.yaml, configs/data/synthetic.yaml, "configs/model/{architecture}.yaml"]
options: {architecture: mlp_1x512, "model.hidden_sizes": [8], trainer.max_epochs: 2}
groups:
  - options: {data.randomization: TrueLabels, data.randomization.seed: "run(random labels)"}
  - options: {data.randomization: RandomLabels}
"""


def test_a_run_may_refer_to_one_of_the_same_seed(experiment, monkeypatch):
    # No option takes a run_id in this test's own code: what is replaced is seen in the arguments that are identified.
    asked: list[tuple[str, ...]] = []
    from rethink.sweep import identities as module

    identify = module.identify
    monkeypatch.setattr(module, "identify", lambda command: asked.append(command) or identify(command))
    loaded = experiment(REFERRING, seeds=[0, 1])
    planned = plan(loaded)
    pretrained = {run.setting.seed: run.run_id for run in planned.runs if "random" in run.label}
    resolved = [command for command in asked if "--data.randomization.seed" in command]
    assert [command[command.index("--data.randomization.seed") + 1] for command in resolved] == [*pretrained.values()]
    assert len(planned.refused) == 2  # a run_id is no seed: the options themselves are checked as always


def test_a_reference_is_to_one_run(experiment):
    (line,) = plan(experiment(REFERRING.replace("run(random labels)", "run(gaussian)"), seeds=[0])).refused
    assert "run(gaussian) is to be one run of seed 0 with this in its description, and is: none." in line


def test_what_needs_a_run_is_not_ready_before(runs, fit):
    run = fit("--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Synthetic", "--trainer.max_epochs", "1")
    done, missing = (PlannedAnalysis("a", ("X",), needs=(folder,)) for folder in (run.path, runs / "b"))
    assert done.ready
    assert not missing.ready


# Weights along training.


def test_weights_are_kept_along_training_and_a_run_without_them_is_not_done(runs, fit):
    options = ("--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Synthetic", "--trainer.max_epochs", "3")
    run = fit(*options)
    planned = PlannedRun(run.run_id, (), run.setting, keep_epochs=(1, 3, 9))
    assert not planned.done
    assert PlannedRun(run.run_id, (), run.setting).done
    before = (run.path / "history.csv").read_text().split("seconds")[0]
    main(
        [
            "fit",
            "--config",
            "configs/base.yaml",
            "--precision",
            "32-true",
            *options,
            "--checkpoint.keep_epochs",
            "[1,3,9]",
        ]
    )
    assert planned.done  # it ended before epoch 9
    assert [weights_of_epoch(run.path, epoch).exists() for epoch in (1, 2, 3)] == [True, False, True]
    assert (run.path / "history.csv").read_text().split("seconds")[0] == before


def test_an_analysis_that_is_asked_to_end_keeps_what_it_has(experiment, runs, monkeypatch, capsys, play_slurm):
    class Slow(Counting):
        """Counts slowly.

        Args:
            n: How far.
            step: By how much.
            seed: Seed of everything that is drawn.
        """

        def analyse(self, context: Context) -> Result:
            import os
            import signal

            for number in range(self.n):
                context.progress("counting", number, self.n)
                (context.folder / f"{number}").touch()
                if number == 1 and not (context.folder / "asked").exists():
                    (context.folder / "asked").touch()
                    os.kill(os.getpid(), signal.SIGTERM)
            return Result({"count": len(list(context.folder.glob("[0-9]")))})

    experiment()
    log = play_slurm()
    monkeypatch.setattr(rethink.running.analysis, "find_analyses", lambda: {"Slow": Slow})
    with pytest.raises(SystemExit) as exit:
        main(["analyze", "Slow", "--n", "4"])
    assert exit.value.code == 75
    said = "preempted at counting: 2 of 4; SLURM starts job 12 again; the same command goes on from what it has kept"
    assert said in capsys.readouterr().err
    assert "scontrol requeue 12" in log.read_text()
    (folder,) = (runs / "analyses").iterdir()
    assert sorted(path.name for path in (folder / "partial").iterdir()) == ["0", "1", "asked"]
    with signals_noted():
        main(["analyze", "Slow", "--n", "4"])
    record = json.loads((folder / "record.json").read_text())
    assert record["values"] == {"count": 4}
    assert not (folder / "partial").exists()


def test_several_plans_have_each_analysis_once(experiment):
    planned = plan(experiment(seeds=[0]))
    assert len(Plan.of([planned, planned]).analyses) == 5
    assert [one.kind for one in planned.only(["counting"]).jobs] == ["Counting", "Counting"]
