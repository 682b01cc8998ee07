"""The shape of the tree: imports go downwards, every option is explained, no machine leaks in."""

import ast
import importlib
import inspect
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import docstring_parser
import pytest
from lightning.pytorch import Callback

import rethink.callbacks
import rethink.data
import rethink.models
import rethink.randomization
import rethink.training.recipes
from rethink.discovery import subclasses
from rethink.models.classifier import Classifier
from rethink.randomization.randomization import Randomization
from rethink.running.analysis import find_analyses
from rethink.training.recipes import Recipe

REPOSITORY = Path(__file__).parents[1]

# From the bottom to the top: a module imports from its own package, or from layers above in this list.
LAYERS = [
    ["errors"],
    ["discovery"],
    ["files"],
    ["randomness"],
    ["models.names"],
    ["runs"],
    ["cluster"],
    ["training"],
    ["randomization"],
    ["data"],
    ["models"],
    ["callbacks"],
    ["analyses"],
    ["kernels", "inside", "complexity", "theorem1"],
    ["dashboard"],
    ["running"],
    ["sweep"],
    ["report"],
    ["cli"],
    ["__main__"],
]
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(REPOSITORY / "rethink").with_suffix("").parts)
    return name.removesuffix("__init__").rstrip(".")


MODULES = {module_name(path): path for path in sorted((REPOSITORY / "rethink").rglob("*.py"))}


def layer(module: str) -> tuple[int, str]:
    """Number of a module's layer, and the entry of the list that says so."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in LAYER:
            return LAYER[name], parts[0]
    raise AssertionError(f"rethink.{module} has no layer: give it one in {__file__}.")


def imported(path: Path) -> set[str]:
    """The project's modules that a file imports, also within functions, without the leading `rethink.`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports from the root, as everywhere else"
            assert node.module is not None
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name.removeprefix("rethink.") for name in names if name.startswith("rethink.")}
    return {name if name in MODULES else name.rpartition(".")[0] for name in ours} - {""}


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_go_downwards(module):
    number, package = layer(module)
    for target in imported(MODULES[module]):
        below, its_package = layer(target)
        assert below < number or its_package == package, f"rethink.{module} imports rethink.{target}, which is above it"


@pytest.mark.parametrize("wing", ["kernels", "inside", "complexity", "theorem1"])
def test_the_mathematics_of_a_wing_knows_tensors_and_nothing_else(wing):
    """Its analyses know the data, the networks and the runs; they stand beside it in `analyses/`."""
    for module, path in MODULES.items():
        if module.startswith(f"{wing}.") and not module.startswith(f"{wing}.analyses"):
            others = {name for name in imported(path) if not name.startswith(f"{wing}.")}
            assert others <= {"errors", "randomness"}, f"rethink.{module} imports {sorted(others)}"
            assert not any(name.startswith(f"{wing}.analyses") for name in imported(path)), module


def test_the_walk_sees_imports():
    assert {"errors", "randomness", "data.split"} <= imported(MODULES["data.datamodule"])
    assert "running.command" in imported(MODULES["cli"])  # lazily, within a function


def test_no_module_is_a_drawer_for_everything():
    drawers = {"utils", "util", "helpers", "helper", "misc", "common", "tools", "base", "core"}
    assert not drawers & {part.lstrip("_") for name in MODULES for part in name.split(".")}


def committed() -> list[Path]:
    """Files that are, or would be, committed."""
    try:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git repository")
    paths = [REPOSITORY / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and path.suffix not in {".png", ".svg", ".pdf", ".gz", ".bin"}]


def test_no_committed_file_holds_a_path_or_a_host_of_one_machine():
    """Nor of the package registry that happens to be set up where the project was written."""
    paths = [r"/home/\w+/", r"/Users/\w+/", r"/root/", r"/work" + r"/\w+", r"[A-Z]:\\Users\\"]
    configured = [os.environ.get(name, "") for name in ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")]
    configured.append(os.environ.get("NPM_CONFIG_REGISTRY", ""))
    for settings in (
        "/etc/pip.conf",
        "~/.config/pip/pip.conf",
        "~/.pip/pip.conf",
        "~/.npmrc",
        "~/.config/uv/uv.toml",
    ):
        if (file := Path(settings).expanduser()).is_file():
            configured += re.findall(r"https?://[^\s\"']+", file.read_text())
    public = {"pypi.org", "registry.npmjs.org", "files.pythonhosted.org", "download.pytorch.org"}
    hosts = {host for url in configured if (host := urlsplit(url).hostname)} - public
    forbidden = re.compile("|".join([*paths, *map(re.escape, sorted(hosts))]))
    for path in committed():
        text = path.read_text(encoding="utf-8", errors="replace")
        found = None if path == Path(__file__) else forbidden.search(text)
        assert found is None, f"{path.relative_to(REPOSITORY)} holds {found[0]!r}"


# The command line's help is the docstrings: every argument of every class that YAML can name is explained.

NAMED = [
    *subclasses(rethink.models, Classifier).values(),
    *subclasses(rethink.randomization, Randomization).values(),
    *subclasses(rethink.data, rethink.data.ImageDataModule).values(),
    *subclasses(rethink.callbacks, Callback).values(),
    *subclasses(rethink.training.recipes, Recipe).values(),
    *find_analyses().values(),
]


@pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.__name__)
def test_every_argument_is_explained_and_nothing_else_is(kind):
    for base in kind.__mro__:
        if not base.__module__.startswith("rethink.") or "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        expected = [("**" if p.kind is p.VAR_KEYWORD else "") + p.name for p in parameters]
        explained = docstring_parser.parse(base.__doc__ or "", docstring_parser.DocstringStyle.GOOGLE).params
        assert [p.arg_name for p in explained] == expected, base
        assert all(p.description for p in explained), base


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_every_module_and_public_name_says_what_it_is(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    if module != "__main__":
        assert ast.get_docstring(tree), module
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{module}.{node.name}"


def test_a_class_is_found_in_its_package_under_its_name():
    for kind in NAMED:
        assert getattr(importlib.import_module(kind.__module__), kind.__name__) is kind
