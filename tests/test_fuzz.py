"""Values, texts and bytes that nobody has thought of: refused in a line, or taken for what they are; nothing is lost."""
# ruff: noqa: E501, PT017

import json
import os
import re
import resource
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bad_inputs
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_bad_inputs import SECONDS, _Accepted, _nothing_is_trained, _state, limit, place  # noqa: F401  (two are fixtures)
from torture import references

from rethink import files
from rethink.cli import main
from rethink.errors import UserError
from rethink.training.checkpoints import TRAINING as TRAINING_KEYS
from rethink.training.checkpoints import read_checkpoint, write_checkpoint

EXAMPLES = [pytest.param(10, id="few"), pytest.param(100, id="many", marks=pytest.mark.slow)]
OPTIONS = sorted(
    set(re.findall(r"--((?:model|data|trainer|checkpoint|convergence)\.[\w.]+)", bad_inputs.COMMANDS[bad_inputs.FIT]))
)
WORDS = [
    "",
    "null",
    "true",
    "off",
    "nan",
    "-inf",
    "1e999",
    "-1",
    "0",
    "1",
    "2",
    "1.5",
    "[]",
    "{}",
    "[null]",
    "[[1]]",
    "{a: 1}",
]
WORDS += [
    "0x10",
    "1_000",
    "٣",
    "²",
    "auto",
    "MLP",
    "RandomLabels",
    "!!python/name:os.system",
    "*x",
    "&x 1",
    "%",
    "@",
    "'",
    "\t",
    "-",
    "--",
]
ROOM = 3 * 2**30  # bytes that a value may make the process ask for


@pytest.fixture(autouse=True)
def _little_memory(_nothing_is_trained):  # noqa: F811
    """A value may ask for a network that no machine has room for."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def attempt(capsys, monkeypatch):
    """Gives a command and returns exit code (None: training would begin) and what was printed."""

    def stop(*args: object, **kwargs: object) -> None:
        raise _Accepted("processes would be started")

    monkeypatch.setattr("torch.multiprocessing.start_processes", stop)

    def attempt(words: list[str]) -> tuple[int | None, str]:
        code: int | None = 0
        try:
            limit(SECONDS)
            main(words)
        except SystemExit as end:
            code = int(end.code or 0)
        except _Accepted as accepted:
            assert "takes more" not in str(accepted)
            code = None
        finally:
            limit(0)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        assert code in (None, 0, 1, 2), printed.err
        return code, printed.out + printed.err

    return attempt


def fuzz(strategy: st.SearchStrategy[Any], check: Callable[[Any], None], examples: int) -> None:
    """Checks so many examples; the message has the smallest that fails. In CI they are the same each time."""
    quietly = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize="CI" in os.environ,
        suppress_health_check=list(HealthCheck),
    )
    quietly(given(strategy)(check))()


def refused_or_begun(attempt, words: list[str], monkeypatch) -> None:
    """Whether a command of training is refused in a line, with nothing written, or begins."""
    monkeypatch.setenv("RETHINK_RUNS", "fuzzed")
    before = _state()
    code, output = attempt(words)
    shutil.rmtree("fuzzed", ignore_errors=True) if code is None else None
    assert code in (None, 2) or "--help" in words or "-h" in words, output
    if code == 2:
        last = output.strip().splitlines()[-1]
        assert last.startswith("rethink: ")
        assert len(last) > len("rethink: ")
    assert _state() == before


values = st.one_of(st.sampled_from(WORDS), st.text(max_size=20), st.integers().map(str), st.floats().map(str))


@pytest.mark.parametrize("examples", EXAMPLES)
def test_values_of_options(examples, attempt, monkeypatch):
    def check(drawn: tuple[str, str]) -> None:
        option, value = drawn
        refused_or_begun(attempt, [*shlex.split(bad_inputs.FIT), f"--{option}={value}"], monkeypatch)

    fuzz(st.tuples(st.sampled_from(OPTIONS), values), check, examples)


keys = st.one_of(
    st.sampled_from(["model", "data", "trainer", "class_path", "init_args", "max_epochs", "seed"]), st.text(max_size=5)
)
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10), st.sampled_from(["MLP", "Synthetic"])
)
contents = st.recursive(
    leaves, lambda part: st.lists(part, max_size=3) | st.dictionaries(keys, part, max_size=3), max_leaves=8
)
TRAINING = b"model: {class_path: MLP, init_args: {dropout: 0.5}}\ntrainer:\n  max_epochs: 1\n  devices: 1\n"


@st.composite
def damaged(draw, content: bytes) -> bytes:
    """The bytes of a file with something done to them."""
    begin, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    put = draw(
        st.one_of(
            st.just(b""), st.binary(max_size=8), st.text(max_size=8).map(str.encode), st.just(content[begin:end] * 2)
        )
    )
    return content[:begin] + put + content[end:]


def _bytes_of(text: object) -> bytes:
    return text if isinstance(text, bytes) else yaml.safe_dump(text, allow_unicode=True).encode(errors="surrogatepass")


@pytest.mark.parametrize("examples", EXAMPLES)
def test_texts_of_configs(examples, attempt, monkeypatch):
    def check(text: object) -> None:
        Path("fuzz.yaml").write_bytes(_bytes_of(text))
        command = "fit --config configs/base.yaml --trainer.devices 1 --data Synthetic --model MLP --config fuzz.yaml"
        refused_or_begun(attempt, command.split(), monkeypatch)

    fuzz(st.one_of(damaged(TRAINING), contents, st.binary(max_size=40)), check, examples)


SWEEP = b"title: T\nseeds: [0]\noptions: {model: MLP, data: Synthetic}\ngroups: [{grid: {model.dropout: [0.1, 0.2]}}]\n"


@pytest.mark.parametrize("examples", EXAMPLES)
def test_texts_of_experiments(examples, attempt):
    path = Path("experiments/fuzz/sweep.yaml")
    path.parent.mkdir(exist_ok=True)

    def check(text: object) -> None:
        path.write_bytes(_bytes_of(text))
        before = _state()
        code, output = attempt(["sweep", "plan", "fuzz"])
        assert code in (0, 2), output
        assert _state() == before

    fuzz(st.one_of(damaged(SWEEP), contents, st.binary(max_size=40)), check, examples)


# Files of runs. Of two runs one is damaged: the other must be there all the same.

READERS = {
    "runs/RUN/record.json": ["show", "show RUN", "show --json", "sweep status EXPERIMENT --once"],
    "runs/RUN/history.csv": ["show", "show RUN"],
    "runs/RUN/config.yaml": ["show", "show RUN"],
    "runs/RUN/checkpoints/final.ckpt": ["validate --config runs/RUN/config.yaml"],
    "runs/analyses/ANALYSIS/record.json": ["show --analyses", "show ANALYSIS"],
    "runs/analyses/ANALYSIS/arrays.npz": ["show ANALYSIS"],
    "experiments/records/RUN/record.json": ["restore"],
    "experiments/records/RUN/history.csv": ["restore"],
}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A working folder with three finished runs and two analyses."""
    store = tmp_path_factory.mktemp("store") / "store"
    shutil.copytree(references.store(), store, symlinks=True)
    return store


def scenes(store: Path) -> dict[Path, list[list[str]]]:
    """File -> the commands that read it."""
    names = {
        "EXPERIMENT": references.EXPERIMENT,
        "RUN": references.run_ids(store)[0],
        "ANALYSIS": sorted(path.parent.name for path in (store / "runs/analyses").glob("*/arrays.npz"))[:1][0],
    }

    def filled(text: str) -> str:
        return re.sub("|".join(names), lambda match: names[match[0]], text)

    return {store / filled(file): [filled(words).split() for words in readers] for file, readers in READERS.items()}


def _resealed(content: bytes, number: int, leaf: object) -> bytes:
    """A record with one of its parts replaced, and the digest of what it says now."""
    record = json.loads(content)
    record.pop(files.DIGEST, None)
    places = [(record, key) for key in record]
    for container, key in places:
        if isinstance(container[key], dict):
            places += [(container[key], name) for name in container[key]]
    container, key = places[number % len(places)]
    container[key] = leaf
    return json.dumps(record | {files.DIGEST: files.content_digest(record)}).encode()


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda part: st.lists(part, max_size=2) | st.dictionaries(st.text(max_size=3), part, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("kind", READERS)
def test_bytes_of_files(kind, examples, store, attempt, monkeypatch):
    monkeypatch.chdir(store)
    monkeypatch.setenv("RETHINK_RUNS", "runs")
    path, commands = list(scenes(store).items())[list(READERS).index(kind)]
    content, written = path.read_bytes(), path.stat().st_mtime
    undisturbed = {tuple(words): attempt(words) for words in commands}
    others = [run for run in references.run_ids(store) if run not in str(path)]

    def check(drawn: tuple[bytes | tuple[int, object], int]) -> None:
        change, number = drawn
        words = commands[number % len(commands)]
        sealed = isinstance(change, tuple)
        path.write_bytes(_resealed(content, *change) if sealed else change)
        os.utime(path, (written, written))  # lists are in the order of these
        before = _state()
        try:
            code, output = attempt(words)
        finally:
            path.write_bytes(content)
            os.utime(path, (written, written))
        if code == 0 and not sealed:
            assert (code, output) == undisturbed[tuple(words)]
        if code != 0:
            assert path.name in output or path.parent.name in output
        if words == ["show"]:
            assert all(run in output for run in others)
        if words[0] != "restore":
            changed = {name for name, state in _state().items() if before.get(name) != state}
            assert changed <= {str(path.relative_to(store))}

    strategy: st.SearchStrategy[Any] = damaged(content)
    if path.name == "record.json":
        strategy |= st.tuples(st.integers(0, 200), plain)
    fuzz(st.tuples(strategy, st.integers(0, 9)), check, examples // 4 if path.suffix == ".ckpt" else examples)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_bytes_of_checkpoints_from_which_training_goes_on(examples, tmp_path):
    """Verified by its digest, or named as damaged: nothing else."""
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, {key: {"w": torch.arange(9.0)} for key in TRAINING_KEYS})
    content = path.read_bytes()

    def check(changed: bytes) -> None:
        path.write_bytes(changed)
        try:
            read = read_checkpoint(path, needs=TRAINING_KEYS)
        except UserError as error:
            assert str(path) in str(error)
        else:
            assert changed == content
            assert read["state_dict"]["w"].tolist() == list(range(9))

    fuzz(damaged(content), check, examples)
