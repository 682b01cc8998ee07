"""Bad input of every kind: not accepted, no traceback, one clear line, nothing written, and at once."""

import os
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import bad_inputs
import pytest

import rethink.models.classifier
from rethink.cli import entry_point, main

REPOSITORY = Path(__file__).parents[1]
LONG = {"LONGPATH": "a/" * 3000 + "a", "LONG": "a" * 5000}
SECONDS = 10
DEFAULTS = {"config": "configs/base.yaml", "trainer.devices": "1", "model": "MLP", "data": "Synthetic"}
KEPT = re.compile(r"/\.plans/|/\.[\w-]+\.lock$")  # by commands that are right, too
NOISE = re.compile(r"Traceback|init_args|usage:|<class|Union|Parser key|typing\.|object at 0x|\b[A-Z]\w+Error\b")


def limit(seconds: float) -> None:
    """Ends what takes longer, of this process's time, or six times as long on the clock; 0: nothing."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 6 * seconds)


class _Accepted(BaseException):
    """Training would begin, or it takes too long: no handler of the program's catches this."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with configs, an experiment and files of every kind."""
    place = tmp_path_factory.mktemp("bad")
    (place / "configs").symlink_to(REPOSITORY / "configs")
    for name, content in bad_inputs.FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


@pytest.fixture(autouse=True)
def _nothing_is_trained(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def stop(*args: object, **kwargs: object) -> None:
        raise _Accepted("accepted: training begins")

    def late(number: int, frame: object) -> None:
        raise _Accepted(f"it takes more than {SECONDS} s")

    for name in [name for name in os.environ if name.startswith(("SLURM_", "RETHINK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(rethink.models.classifier, "sgd_step", stop)
    monkeypatch.setattr("rethink.sweep.local.run", stop)
    monkeypatch.setattr("subprocess.Popen.__init__", stop)
    monkeypatch.chdir(place)
    signals = (signal.SIGPROF, signal.SIGALRM)
    before = [signal.signal(number, late) for number in signals]
    limit(SECONDS)
    yield
    limit(0)
    for number, handler in zip(signals, before, strict=True):
        signal.signal(number, handler)


def table() -> Iterator[tuple[str, str]]:
    """Command line and what the message says."""
    for prefix, lines in bad_inputs.COMMANDS.items():
        for line in lines.strip().splitlines():
            words, says = (part.strip() for part in line.split("->", 1))
            variables = re.match(r"([A-Z_]+=\S+ )*", f"{words} ")
            assert variables
            rest = words[variables.end() :] if variables.end() <= len(words) else ""
            yield f"{variables[0]}{prefix} {rest}".strip(), says


def refused(command: str, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives a command, and checks how it is refused."""
    before = _state()
    words = [LONG.get(word, word) for word in shlex.split(command.replace("\\x00", "\0"))]
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    with pytest.raises(SystemExit) as end:
        main(words)
    output = capsys.readouterr()
    message = re.sub(r"^[Ww]orking out which runs .*\n", "", output.err.strip())
    assert end.value.code == 2, message
    assert message.startswith("rethink"), message
    assert len(message.splitlines()) == 1, message
    assert not output.out or output.out.startswith("analysis ")
    for part in filter(None, (part.strip() for part in says.split(" | "))):
        assert part in message, message
    assert not NOISE.search(message.replace("os.environ", "")), message
    assert len(message) < 8000
    assert _state() == before


def _state() -> dict[str, tuple[int, int]]:
    """What there is in the working folder."""
    paths = [Path(folder, name) for folder, *names in os.walk(".") for part in names for name in part]
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in paths
        if not KEPT.search(str(path)) and not path.is_dir()
    }


@pytest.mark.parametrize(("command", "says"), list(table()))
def test_a_bad_command_is_refused(command, says, capsys, monkeypatch):
    refused(command, says, capsys, monkeypatch)


@pytest.mark.parametrize("text", bad_inputs.CONFIGS)
def test_a_bad_config_is_refused(text, place, capsys, monkeypatch):
    (place / "case.yaml").write_text(text)
    part = text.partition(":")[0]  # which the config sets, and the command does not
    words = [f"--{name} {value}" for name, value in DEFAULTS.items() if name.partition(".")[0] != part]
    refused(" ".join(["fit", *words, "--config case.yaml"]), bad_inputs.CONFIGS[text], capsys, monkeypatch)


@pytest.mark.parametrize("text", bad_inputs.SWEEPS)
def test_a_bad_sweep_is_refused(text, place, capsys, monkeypatch):
    (place / "experiments" / "case").mkdir(exist_ok=True)
    (place / "experiments" / "case" / "sweep.yaml").write_text(text)
    refused("sweep plan case", bad_inputs.SWEEPS[text], capsys, monkeypatch)


@pytest.mark.parametrize("launcher", ["slurm", "kubernetes"])
def test_a_bad_config_of_a_launcher_is_refused(launcher, place, capsys, monkeypatch):
    export = ["--export-only"] if launcher == "slurm" else []
    for text, says in getattr(bad_inputs, launcher.upper()).items():
        (place / "case.yaml").write_text(text)
        command = ["sweep", "run", "good", "--launcher", launcher, *export, "--launcher-config", "case.yaml"]
        refused(shlex.join(command), f"case.yaml | {says}", capsys, monkeypatch)


@pytest.mark.parametrize("number", range(len(bad_inputs.DATA_SETS)))
def test_what_a_data_set_of_the_users_own_returns_is_checked(number, place, capsys, monkeypatch):
    returned, says = [*bad_inputs.DATA_SETS.items()][number]
    (place / f"mine_{number}.py").write_text(bad_inputs.MINE.replace("{returned}", returned))
    monkeypatch.syspath_prepend(place)
    command = f"{bad_inputs.TRAINER} --model MLP --data mine_{number}.Mine"
    refused(command, f"Mine | {says}", capsys, monkeypatch)


def test_there_are_hundreds():
    tables = (bad_inputs.CONFIGS, bad_inputs.SWEEPS, bad_inputs.SLURM, bad_inputs.KUBERNETES, bad_inputs.DATA_SETS)
    assert len(set(table())) + sum(map(len, tables)) >= 300


def test_an_own_class_by_its_import_path_is_accepted(place, monkeypatch):
    """Errors list what is here; they do not keep anyone from a class of their own."""
    (place / "own.py").write_text("from rethink.models import MLP\n\nclass Own(MLP):\n    '''Of one's own.'''\n")
    monkeypatch.syspath_prepend(place)
    with pytest.raises(_Accepted):
        main(shlex.split(f"{bad_inputs.TRAINER} --data Synthetic --model own.Own --runs accepted"))


def test_a_fault_of_our_own_ends_with_what_to_report(place, capsys, monkeypatch):
    def fail(args: list[str]) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("rethink.cli.show.main", fail)
    monkeypatch.setattr("sys.argv", ["rethink", "show", "a b"])
    monkeypatch.setenv("RETHINK_RUNS", "faulty")
    with pytest.raises(SystemExit) as end:
        entry_point()
    assert end.value.code == 1
    (log,) = Path("faulty/.faults").iterdir()
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == f"rethink: this is a fault of rethink, not of yours. To have it mended, report {log}."
    assert "$ rethink show 'a b'" in log.read_text()
    assert "ZeroDivisionError: by zero" in log.read_text()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(28, "No space left on device", "runs/x"), "runs/x: No space left on device"),
        (OSError(30, "Read-only file system", "runs/x"), "Give permission"),
        (OSError(116, "Stale file handle", "runs/x"), "Has the folder gone?"),
        (MemoryError(), "there is not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9663676416 bytes"), "9.0 GiB"),
    ],
)
def test_what_the_machine_refuses_is_one_line(error, says, capsys, monkeypatch):
    def fail(args: list[str]) -> None:
        raise error

    monkeypatch.setattr("rethink.cli.show.main", fail)
    with pytest.raises(SystemExit) as end:
        main(["show"])
    message = capsys.readouterr().err.strip()
    assert end.value.code == 2
    assert message.startswith("rethink: ")
    assert says in message
    assert len(message.splitlines()) == 1
