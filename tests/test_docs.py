"""What the pages say is there: links and anchors lead somewhere, commands parse, targets exist, Python runs."""

import argparse
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jsonargparse
import pytest
import yaml

from rethink.cli import OTHERS, TRAINING, main

REPOSITORY = Path(__file__).parents[1]
PAGES = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "experiments/README.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def blocks(page: Path, language: str) -> Iterator[str]:
    """The code blocks of a page with exactly this info string, such as `python run`."""
    return (code for info, code in FENCE.findall(page.read_text()) if info == language)


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def commands(program: str) -> list[tuple[str, str]]:
    """Page and command line of every call of `program` in a shell block, without what follows a `#`."""
    return [
        (name(page), line)
        for page in PAGES
        for block in blocks(page, "sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.split()[:1] == [program]
    ]


def anchors(page: Path) -> set[str]:
    """Those of the headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(page)))
    for target in targets:
        path, _, anchor = target.partition("#")
        if re.match(r"\w+:", target):
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(linked), f"{target}: no such heading"


def test_every_page_is_part_of_the_site():
    listed = (REPOSITORY / "docs/index.md").read_text().split()
    missing = {page.stem for page in (REPOSITORY / "docs").glob("*.md")} - {*listed, "index"}
    assert not missing, f"docs/index.md does not name {missing}"


def test_the_readme_is_one_screen():
    lines = (REPOSITORY / "README.md").read_text().splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 120


def test_the_map_of_the_house_has_every_room():
    rooms = {path.name for path in (REPOSITORY / "rethink").iterdir() if (path / "__init__.py").exists()}
    readme = (REPOSITORY / "README.md").read_text()
    assert {room for room in rooms if f"`rethink/{room}/`" not in readme} == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_and_target_in_the_text_exists(page):
    inline = re.findall(r"`([^`\n]+)`", prose(page))
    called = {text.split()[1] for text in inline if re.match(r"rethink [a-z]", text)}
    assert called <= {*TRAINING, *OTHERS}
    targets = {text.split()[1] for text in inline if re.match(r"make [a-z]", text)}
    assert targets <= make_targets()


def make_targets() -> set[str]:
    database = subprocess.run(
        ["make", "-pRrq", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout
    return set(re.findall(r"^([a-z0-9_]+):", database, re.MULTILINE))


def test_every_make_command_names_a_target():
    assert commands("make")
    for page, line in commands("make"):
        words = [word for word in shlex.split(line, comments=True)[1:] if "=" not in word]
        assert words, f"{page}: {line}"
        assert {*words} <= make_targets(), f"{page}: {line}"


class Parsed(Exception):
    """A parser took all options of a command."""


@pytest.mark.parametrize(("page", "line"), commands("rethink"))
def test_every_rethink_command_parses(page, line, runs, monkeypatch):
    """The parsers are the real ones; what they would do is not done."""

    def stop_after(parse):
        calls = []

        def parse_args(self, *args, **kwargs):
            calls.append(self)
            try:
                parse(self, *args, **kwargs)
            finally:
                calls.pop()
            raise Parsed

        def nested(self, *args, **kwargs):  # jsonargparse parses within parsing
            return parse(self, *args, **kwargs) if calls else parse_args(self, *args, **kwargs)

        return nested

    for parser in (argparse.ArgumentParser, jsonargparse.ArgumentParser):
        monkeypatch.setattr(parser, "parse_args", stop_after(parser.parse_args))
    with pytest.raises(Parsed):
        main(shlex.split(line, comments=True)[1:])


def test_experiments_and_analyses_in_commands_exist():
    experiments = {path.parent.name for path in (REPOSITORY / "experiments").glob("*/sweep.yaml")}
    for page, line in commands("rethink"):
        words = shlex.split(line, comments=True)[1:]
        if words[0] == "sweep":
            own = words[2].endswith("/sweep.yaml")  # of the reader's
            assert own or words[2] in experiments, f"{page}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_blocks_compile(page):
    for block in (*blocks(page, "python"), *blocks(page, "python run")):
        compile(block, name(page), "exec")


@pytest.mark.parametrize(
    ("page", "number"),
    [(page, number) for page in PAGES for number, _ in enumerate(blocks(page, "python run"))],
    ids=lambda value: name(value) if isinstance(value, Path) else str(value),
)
def test_python_blocks_run(page, number, runs):
    exec(compile(list(blocks(page, "python run"))[number], name(page), "exec"), {"__name__": "block"})


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_code_block_says_what_it_is(page):
    allowed = {"sh", "python", "python run", "yaml", "text"}
    infos = {info for info, _ in FENCE.findall(page.read_text())}
    assert {info for info in infos if not info.startswith("{")} <= allowed


def test_the_example_in_the_docs_is_that_of_the_tests():
    (block,) = (code for code in blocks(REPOSITORY / "docs/extending.md", "python") if "class Linear" in code)
    example = (REPOSITORY / "tests/examples/linear.py").read_text()
    assert block[block.index("    def __init__") :] in example


def test_pre_commit_runs_what_make_lint_runs():
    (repository,) = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    recipe = subprocess.run(["make", "-n", "-B", "lint"], cwd=REPOSITORY, capture_output=True, text=True).stdout
    entries = [hook["entry"] for hook in repository["hooks"]]
    assert [line for line in recipe.splitlines() if line.split()[0] in {e.split()[0] for e in entries}] == entries


def test_the_image_has_what_the_manifest_calls():
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    launcher = yaml.safe_load((REPOSITORY / "configs/launcher/kubernetes.yaml").read_text())
    assert f"WORKDIR {launcher['folder']}\n" in dockerfile
    copied = re.search(r"^COPY (pyproject.+) \./$", dockerfile, re.MULTILINE)
    assert copied is not None
    assert all((REPOSITORY / file).exists() for file in copied[1].split())


@pytest.mark.slow
def test_the_notebook_runs_in_a_kernel_of_its_own():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    if not (REPOSITORY / "data/cifar10.bin").exists():
        pytest.skip("data/cifar10.bin is not there: `rethink data get cifar10` gets it")
    notebook = nbformat.read(REPOSITORY / "docs/notebooks/memorize.ipynb", 4)
    notebook.metadata.kernelspec.name = "python3"
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(REPOSITORY)}}).execute()
    printed = "".join(out.get("text", "") for cell in notebook.cells for out in cell.get("outputs", []))
    true, noise = re.findall(r"labels: train ([\d.]+)%, test ([\d.]+)%", printed)
    assert float(true[0]) > 99
    assert float(noise[0]) > 99
    assert float(true[1]) > 25
    assert float(noise[1]) < 15


def test_the_notebook_names_no_folder_of_a_machine():
    text = (REPOSITORY / "docs/notebooks/memorize.ipynb").read_text()
    assert "site-packages" not in text
    assert str(REPOSITORY) not in text
