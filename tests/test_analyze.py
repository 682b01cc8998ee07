"""`rethink analyze`: a list, options, a record that is written last, what a kill leaves, and how a record is read."""

import json
import os
import re

import numpy as np
import pytest

import rethink.running.analysis
from rethink.analyses.analysis import Analysis, Context, Result
from rethink.cli import main
from rethink.cluster.lease import Lease
from rethink.errors import UserError
from rethink.files import Damaged, read_json, write_json, write_text
from rethink.running.analysis import find_analyses
from rethink.running.identification import identify_analysis
from rethink.runs.analysis import ARRAYS, FinishedAnalysis
from rethink.runs.reading import FORMAT
from rethink.sweep.jobs import PlannedAnalysis


class Blocks(Analysis):
    """Adds up blocks, and keeps those that are finished. More of this is no summary.

    Args:
        blocks: How many.
        power: Of each number.
        name: What the sum is called.
        seed: Seed of everything that is drawn.
    """

    computed: list[int] = []  # noqa: RUF012  (of all objects, for the tests)
    killed_at: int | None = None
    found: dict = {}  # noqa: RUF012

    def __init__(self, blocks: int = 3, power: float = 1.0, name: str | None = None, seed: int = 0) -> None:
        super().__init__(seed)
        if blocks < 1:
            raise UserError(f"--blocks {blocks} is none. Choose 1 or more.")
        self.blocks, self.power, self.name = blocks, power, name

    def analyse(self, context: Context) -> Result:
        for block in range(self.blocks):
            context.progress("blocks", block, self.blocks)
            kept = context.folder / f"{block}.json"
            if block == self.killed_at:
                raise KeyboardInterrupt
            if not kept.exists():
                self.computed.append(block)
                write_text(kept, json.dumps((block + self.seed) ** self.power))
        numbers = [json.loads((context.folder / f"{block}.json").read_text()) for block in range(self.blocks)]
        arrays = {} if self.name == "without arrays" else {"numbers": np.array(numbers), "flags": np.array([True])}
        return Result({"sum": sum(numbers), "numbers": numbers} | self.found, arrays)


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    monkeypatch.setattr(rethink.running.analysis, "find_analyses", lambda: {"Blocks": Blocks})
    monkeypatch.setattr(Blocks, "computed", [])


@pytest.fixture
def analyze(runs):
    """Runs the command; what it wrote."""

    def analyze(*options: str) -> FinishedAnalysis:
        before = set((runs / "analyses").glob("*"))
        main(["analyze", "Blocks", *options])
        (folder,) = set((runs / "analyses").glob("*")) - before or before
        return FinishedAnalysis.open(folder)

    return analyze


def refused(*args: str, capsys) -> str:
    with pytest.raises(SystemExit) as exit:
        main(["analyze", *args])
    assert exit.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


# What there is.


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_it_lists_the_analyses_in_a_line_each(arguments, capsys):
    main(["analyze", *arguments])
    assert re.search(r"Blocks +Adds up blocks, and keeps those that are finished\n", capsys.readouterr().out)


def test_every_analysis_of_the_project_has_a_line_that_says_what_it_is():
    for name, kind in find_analyses().items():
        first = (kind.__doc__ or "").partition(".")[0]
        assert 10 < len(first) < 160, name
        assert "\n" not in first, name


def test_help_explains_every_option(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["analyze", "Blocks", "--help"])
    assert exit.value.code in (0, None)
    said = capsys.readouterr().out
    for text in ("--blocks", "How many.", "--power", "--seed", "--force"):
        assert text in said


# What is refused.


def test_an_unknown_name_is_answered_with_the_nearest(runs, capsys):
    assert "there is no analysis 'Block'. Did you mean 'Blocks'? The analyses: Blocks." in refused(
        "Block", capsys=capsys
    )


OWN = """
from rethink.analyses.analysis import Analysis, Context, Result


class Cubes(Analysis):
    \"\"\"Adds up cubes.

    Args:
        n: How many.
        seed: Not used.
    \"\"\"

    def __init__(self, n: int = 3, seed: int = 0) -> None:
        super().__init__(seed)
        self.n = n

    def analyse(self, context: Context) -> Result:
        return Result({"sum": sum(k**3 for k in range(self.n))})
"""


def test_an_analysis_outside_the_package_is_named_by_its_path(runs, tmp_path, monkeypatch, capsys):
    (tmp_path / "my_analyses.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    main(["analyze", "my_analyses.Cubes", "--n", "4"])
    (folder,) = (runs / "analyses").iterdir()
    found = FinishedAnalysis.open(folder)
    assert (found.name, found.values["sum"]) == ("Cubes", 36)
    job = PlannedAnalysis(found.analysis_id, ("my_analyses.Cubes", "--n", "4"))
    (tmp_path / "my_analyses.py").write_text(OWN.replace("Adds up", "The sum of"))
    assert job.damage is None
    (tmp_path / "my_analyses.py").write_text(OWN.replace("k**3", "k**4"))
    assert "has changed since" in refused("my_analyses.Cubes", "--n", "4", capsys=capsys)
    assert "sweep retry" in (job.damage or "")
    assert "module 'my_analyses' has no class 'Squares'" in refused("my_analyses.Squares", capsys=capsys)
    assert "'json.JSONDecoder' is no Analysis" in refused("json.JSONDecoder", capsys=capsys)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--block", "3"], "--block 3: Blocks has no such option. Did you mean --blocks?"),
        (["--blocks", "many"], "--blocks many: expected a whole number"),
        (["3"], "'3' is left over"),
        (["--blocks", "0"], "--blocks 0 is none. Choose 1 or more."),
    ],
)
def test_an_option_that_cannot_be_is_refused_and_no_folder_stays(options, said, runs, capsys):
    assert said in refused("Blocks", *options, capsys=capsys)
    assert not list(runs.glob("analyses/*"))


def test_what_is_refused_while_it_computes_leaves_no_folder(runs, capsys, monkeypatch):
    def analyse(self, context):
        raise UserError("the data are not there.")

    monkeypatch.setattr(Blocks, "analyse", analyse)
    assert "rethink: the data are not there." in refused("Blocks", capsys=capsys)
    assert not list(runs.glob("analyses/*"))


def test_what_another_process_computes_is_left_to_it(runs, capsys):
    folder = runs / "analyses" / identify_analysis(["Blocks"])
    with Lease(folder).held():
        assert f"process {os.getpid()}" in refused("Blocks", capsys=capsys)
        assert folder.exists()
    assert Blocks.computed == []


# The record.


def test_the_record_has_options_values_and_surroundings(analyze, runs):
    found = analyze("--blocks", "4", "--power", "2")
    assert found.name == "Blocks"
    assert found.options == {"blocks": 4, "power": 2.0, "name": None, "seed": 0}
    assert found.values == {"sum": 14, "numbers": [0, 1, 4, 9]}
    assert (found.seed, found.runs) == (0, [])
    assert found.analysis_id == found.path.name == identify_analysis(["Blocks", "--blocks=4", "--power=2"])
    assert found.record["format"] == FORMAT
    assert found.record["version"] == Blocks.version
    assert found.record["durations"]["seconds/total"] >= 0
    assert found.environment["versions"]["torch"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found.record["finished"])
    assert sorted(path.name for path in found.path.iterdir()) == [ARRAYS, "record.json"]
    assert found.matches(blocks=4)
    assert not found.matches(blocks=3)
    assert not found.matches(unknown=None)


def test_arrays_come_back_as_they_were(analyze):
    arrays = analyze("--blocks", "4", "--seed", "1").arrays
    assert set(arrays) == {"numbers", "flags"}
    np.testing.assert_array_equal(arrays["numbers"], np.array([1.0, 2.0, 3.0, 4.0]))
    assert arrays["flags"].dtype == bool
    assert analyze("--name", "without arrays").arrays == {}


def test_numbers_of_numpy_are_numbers_and_what_json_lacks_is_null(analyze, monkeypatch):
    values = {"n": np.int64(3), "share": np.float32(0.5), "yes": np.bool_(True), "list": np.arange(2), "none": np.nan}
    monkeypatch.setattr(Blocks, "found", values)
    found = analyze().values
    assert {name: found[name] for name in values} == {"n": 3, "share": 0.5, "yes": True, "list": [0, 1], "none": None}


def test_the_identity_is_of_options_that_are_not_at_their_defaults(monkeypatch):
    identify = identify_analysis
    assert identify(["Blocks"]) == identify(["Blocks", "--blocks", "3", "--seed=0", "--force"])
    different = [["Blocks"], ["Blocks", "--blocks=4"], ["Blocks", "--seed=4"], ["Blocks", "--power=4"]]
    assert len({*map(identify, different)}) == 4
    before = identify(["Blocks"])
    monkeypatch.setattr(Blocks, "version", 2)
    assert identify(["Blocks"]) != before


# Once, anew, and after a kill.


def test_what_is_done_is_shown_and_not_computed_again(analyze, capsys):
    analyze()
    capsys.readouterr()
    analyze()
    said = capsys.readouterr().out
    assert "This was done before; --force computes it anew." in said
    assert re.search(r"sum +3", said)
    assert Blocks.computed == [0, 1, 2]


def test_force_computes_anew_and_leaves_nothing_of_before(analyze, monkeypatch):
    first = analyze()
    assert first.arrays
    monkeypatch.setattr(Blocks, "analyse", lambda self, context: Result({"sum": 8}))
    again = analyze("--force")
    assert again.path == first.path
    assert again.values == {"sum": 8}
    assert again.arrays == {}


def killed(monkeypatch, *options: str) -> None:
    """After two of three blocks, so that nothing but the operating system closes anything."""
    monkeypatch.setattr(Blocks, "killed_at", 2)
    with pytest.raises(KeyboardInterrupt):
        main(["analyze", "Blocks", *options])
    monkeypatch.setattr(Blocks, "killed_at", None)


def test_a_killed_one_goes_on_from_what_it_has_finished(analyze, runs, monkeypatch):
    killed(monkeypatch)
    (folder,) = (runs / "analyses").iterdir()
    assert sorted(path.name for path in folder.rglob("*.json")) == ["0.json", "1.json"]
    with pytest.raises(UserError, match="has not finished"):
        FinishedAnalysis.open(folder)
    assert analyze().values["sum"] == 3
    assert Blocks.computed == [0, 1, 2]
    assert not (folder / "partial").exists()


def test_force_does_not_go_on_from_a_kill(analyze, monkeypatch):
    killed(monkeypatch)
    assert analyze("--force").values["sum"] == 3
    assert Blocks.computed == [0, 1, 0, 1, 2]


def test_a_killed_repetition_is_not_done(analyze, monkeypatch):
    first = analyze()
    killed(monkeypatch, "--force")
    with pytest.raises(UserError, match="has not finished"):
        FinishedAnalysis.open(first.path)
    assert FinishedAnalysis.open(first.path / "before").record == first.record
    assert analyze().values["sum"] == 3
    assert not (first.path / "before").exists()


def test_a_repetition_that_is_refused_leaves_what_was_done(analyze, monkeypatch, capsys):
    def refuses(self, context):
        raise UserError("there is not enough memory")

    first = analyze()
    monkeypatch.setattr(Blocks, "analyse", refuses)
    assert "not enough memory" in refused("Blocks", "--force", capsys=capsys)
    assert FinishedAnalysis.open(first.path).record == first.record
    assert sorted(path.name for path in first.path.iterdir()) == [ARRAYS, "record.json"]


def test_what_fails_keeps_its_blocks_and_its_error(runs, monkeypatch):
    def fails(self, context):
        (context.folder / "0.json").write_text("1")
        raise ZeroDivisionError

    monkeypatch.setattr(Blocks, "analyse", fails)
    with pytest.raises(ZeroDivisionError):
        main(["analyze", "Blocks"])
    (folder,) = (runs / "analyses").iterdir()
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["0.json"]


def test_progress_is_said_now_and_then_where_the_output_is_a_file(analyze, capsys, monkeypatch):
    analyze()
    assert capsys.readouterr().err.splitlines() == ["blocks: 0 of 3"]
    monkeypatch.setattr(rethink.running.analysis, "_SECONDS_BETWEEN_LINES", -1.0)
    analyze("--force")
    assert capsys.readouterr().err.splitlines() == ["blocks: 0 of 3", "blocks: 1 of 3", "blocks: 2 of 3"]


# Reading.


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[]", "no JSON object"),
        (b"{}", "does not have the digest"),
        (b'{"format": "1"}', "does not have the digest"),
        (b'{"format": 2, "analysis_id": "x"}', "does not have the digest"),
        (b'{"format": 1, "analysis_id": "x"}', "without analysis, options, values"),
        (b'{"format": 1, "analysis_id": "x", "analysis": "X", "options": [], "values": {}}', "options"),
        (b'{"format": 1, "analysis_id": "x", "analysis": "X", "options": {}, "values": 3}', "values"),
    ],
)
def test_a_damaged_record_is_named_with_the_remedy(content, said, analyze, capsys):
    file = analyze().path / "record.json"
    file.write_bytes(content)
    with pytest.raises(Damaged, match="Repeat the analysis") as error:
        FinishedAnalysis.open(file.parent)
    assert said in str(error.value)
    assert str(file) in str(error.value)
    assert "--force" in refused("Blocks", capsys=capsys)
    assert analyze("--force").values["sum"] == 3


def test_a_newer_record_is_no_damaged_one(analyze):
    file = analyze().path / "record.json"
    write_json(file, read_json(file) | {"format": FORMAT + 1})
    with pytest.raises(UserError, match=f"format {FORMAT + 1} is from a newer rethink; this") as error:
        FinishedAnalysis.open(file.parent)
    assert not isinstance(error.value, Damaged)


def test_a_folder_without_a_record_has_not_finished(tmp_path):
    with pytest.raises(UserError, match=r"no record\.json, so this analysis has not finished"):
        FinishedAnalysis.open(tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 100, -30])
def test_damaged_arrays_are_named(keep, analyze):
    file = analyze().path / ARRAYS
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(Damaged, match=ARRAYS):
        _ = FinishedAnalysis.open(file.parent).arrays


def test_arrays_that_were_cut_off_are_noticed_without_reading_them(analyze):
    file = analyze().path / ARRAYS
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(Damaged, match=ARRAYS):
        FinishedAnalysis.open(file.parent)


def test_a_flipped_bit_in_the_arrays_is_noticed(analyze):
    file = analyze().path / ARRAYS
    content = bytearray(file.read_bytes())
    content[content.index(b"PK", 2) - 5] ^= 255  # of the first array, before the header of the second
    file.write_bytes(content)
    with pytest.raises(Damaged, match=ARRAYS):
        _ = FinishedAnalysis.open(file.parent).arrays
