"""Errors of the parser as one readable message: the option, its value, what was expected, the nearest name.

jsonargparse parses a class within a class by a parser of its own, and each level wraps the error of the level
below. So the chain of causes has the whole way to the option, the innermost parser knows which names it
accepts, and the innermost text is one of the few kinds in `_KINDS`.
"""

import argparse
import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Never

import yaml
from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger

from rethink.data import ImageDataModule
from rethink.errors import UserError
from rethink.models import Classifier
from rethink.randomization import Randomization
from rethink.running.refusals import refuse_values
from rethink.running.remembering import Remembering
from rethink.running.written import GROUP, WrittenOptions, with_config_files

# jsonargparse takes 10670577e994, as a run_id may be, for a number: so such a text is to be written in quotes.
yaml.SafeDumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$"), list("-+0123456789")
)

# What an option of this name takes: a class under it.
_BASES: dict[str, type] = {
    "model": Classifier,
    "data": ImageDataModule,
    "randomization": Randomization,
    "logger": Logger,
    "callbacks": Callback,
}
_NOTES = {"Synthetic": "generated images, no download"}
_EXPECTED = {
    "PositiveInt": "a whole number above 0",
    "NonNegativeInt": "a whole number, 0 or more",
    "PositiveFloat": "a number above 0",
    "NonNegativeFloat": "a number, 0 or more",
    "ClosedUnitInterval": "a number from 0 to 1",
    "<class 'int'>": "a whole number",
    "<class 'float'>": "a number",
    "<class 'bool'>": "true or false",
    "<class 'str'>": "a text",
    "<class 'list'>": "a list in brackets, such as [512]",
}


class Parser(Remembering):
    """LightningCLI's parser with readable errors, and without guessing what an abbreviated option means."""

    described: type | None = None
    """The class whose arguments this parser takes, where it is a parser within a parser."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})
        self.written = WrittenOptions((), {})

    def parse_args(self, args: Any = None, *more: Any, **kwargs: Any) -> Any:
        """Parses a command line, whose configs are files of options that can be read."""
        if not self.exit_on_error:  # a parser within a parser, which is handed a null as the text None
            nulls = [re.sub("=None$", "=null", argument) for argument in args or ()]
            return super().parse_args(nulls, *more, **kwargs)
        arguments = with_config_files(args or ())
        self.written = WrittenOptions.read(arguments)
        return super().parse_args(arguments, *more, **kwargs)

    def validate(self, namespace: Any, *more: Any, **kwargs: Any) -> None:
        """Checks what has been parsed, first for values that no option of any class takes."""
        if self.exit_on_error:
            refuse_values(namespace, self.written)
        super().validate(namespace, *more, **kwargs)

    def add_class_arguments(self, theclass: type, nested_key: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Adds the arguments of a class. A logger need not be told where to write: it is the run's folder."""
        added = super().add_class_arguments(theclass, nested_key, *args, **kwargs)
        if nested_key is None:
            self.described = theclass
            if issubclass(theclass, Logger):
                for action in self._actions:
                    if action.dest == "save_dir":
                        action.required, action.default = False, None
        return added

    def error(self, message: str, ex: BaseException | None = None) -> Never:
        """Raises one readable message as a UserError, at the outermost level."""
        if not self.exit_on_error:
            error = argparse.ArgumentError(None, message)
            error.parser = self  # type: ignore[attr-defined]
            raise error from ex
        raise UserError(_explain(self, message, ex))


def choices(option: str) -> dict[str, type]:
    """Name -> class of what `--option` takes, without the base class, which is not complete by itself."""
    classes = _subclasses(_BASES[_last(option)])
    return {cls.__name__: cls for cls in classes if not cls.__name__.startswith("_")}


def require_complete(option: str, class_path: str) -> None:
    """Refuses a base class, which nobody chooses but who sets an option of it without a class."""
    base = _BASES[_last(option)].__name__
    if _last(class_path) == base:
        raise UserError(f"--{option} is missing: {base} is only what all of them share. {_choose(option)}")


def root_cause(error: BaseException) -> str:
    """The first line of what a constructor said, below what jsonargparse makes of it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().partition("\n")[0]


@dataclass(frozen=True)
class _Fault:
    """What is wrong, as the innermost parser says it."""

    option: str
    """Dotted name of the option that was being parsed, such as `data.randomization`; empty at the top."""
    text: str
    detail: str
    """The text with all that would have been accepted."""
    parser: Parser
    written: WrittenOptions
    in_config: bool

    def given(self, option: str) -> tuple[str, str]:
        return self.written.given(option, in_config=self.in_config)

    def shown(self, option: str, value: str = "") -> str:
        return self.written.shown(option, value, in_config=self.in_config)

    def under(self, name: str) -> str:
        return f"{self.option}.{name}" if self.option else name


def _explain(parser: Parser, message: str, ex: BaseException | None) -> str:
    chain = list(_causes(ex))
    top = parser
    while hasattr(top, "parent_parser"):
        top = top.parent_parser
    keyed = [(m[1], str(e)) for e in chain if isinstance(e, TypeError) if (m := _KEY.match(str(e)))]
    keys = [key for key, _ in keyed if key != "config"]
    if not keys and (help_of := re.match(r"--([\w.]+)\.help: ", message)):
        keys = [help_of[1]]
    inner = next((e.parser for e in reversed(chain) if hasattr(e, "parser")), None)
    fault = _Fault(
        option=".".join(keys),
        text=str(chain[-1]) if chain else message,
        detail=keyed[-1][1] if keyed else message,
        parser=inner or parser,
        written=top.written,
        in_config=any(key.rpartition(".")[2] == "config" for key, _ in keyed),
    )
    for pattern, explanation in _KINDS:
        for text in (fault.text, message):
            if match := re.search(pattern, text, re.DOTALL):
                return explanation(fault, match)
    last = [line.strip() for line in message.splitlines() if line.strip()][-1]
    return f"{fault.shown(fault.option)}: {last}" if fault.option else last


# The kinds of errors.


def _no_such_class(fault: _Fault, match: re.Match[str]) -> str:
    value = match.groupdict().get("value") or fault.given(fault.option)[0]
    if _last(fault.option) not in _BASES:
        return f"{fault.shown(fault.option, value)}: there is no such class. Expected its import path."
    near = _did_you_mean(_last(value), list(choices(fault.option)))
    return f"{fault.shown(fault.option, value)}: there is no such class.{near} {_choose(fault.option)}"


def _no_such_option(fault: _Fault, match: re.Match[str]) -> str:
    if not match["name"].startswith("--") and match[0].startswith("unrecognized"):
        return f"{match['name']!r} is left over: options are written `--name value`."
    group = match.groupdict().get("group")
    written = f"{group}.{match['name']}" if group else match["name"]
    name = written.removeprefix("--").partition("=")[0].replace(".init_args.", ".")
    if fault.parser.described in _BASES.values():
        option = fault.option
        return f"{fault.shown(fault.under(name))}: --{option} has to stand before it. {_choose(option)}"
    options = [action.dest for action in fault.parser._actions if not action.dest.endswith("help")]
    near = get_close_matches(name, options, n=1)
    if not near and "." in name:  # --modle.dropout
        head, _, rest = name.partition(".")
        heads = {other.partition(".")[0] for other in options}
        near = [f"{other}.{rest}" for other in get_close_matches(head, heads, n=1)]
    of = fault.parser.described.__name__ if fault.parser.described else ""
    if near:
        remedy = f"Did you mean --{fault.under(near[0])}?"
    else:
        remedy = f"{of} has {', '.join(options)}." if of else "See --help."
    return f"{fault.shown(fault.under(name))}: {of or 'rethink'} has no such option. {remedy}"


def _missing(fault: _Fault, match: re.Match[str]) -> str:
    if fault.parser.described in _BASES.values():
        return f"{fault.shown(fault.option)}: this class is not complete. {_choose(fault.option)}"
    messages = []
    for name in match["names"].split(", "):
        option = fault.under(name)
        if _last(option) in _BASES:
            remedy = _choose(option)
        else:
            action = next(a for a in fault.parser._actions if a.dest == name)
            owner = fault.parser.described.__name__ if fault.parser.described else "rethink"
            remedy = f"{owner} needs it: {action.help}"
        messages.append(f"--{option} is missing. {remedy}")
    return " ".join(messages)


def _no_such_file(fault: _Fault, match: re.Match[str]) -> str:
    path = Path(match["path"])
    beside = [file.name for file in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
    near = get_close_matches(path.name, beside, n=1)
    hint = f" Did you mean {_relative(path.with_name(near[0]))}?" if near else ""
    return f"--config {_relative(path)}: there is no such file.{hint}"


def _bad_value(fault: _Fault, match: re.Match[str]) -> str:
    value = match.groupdict().get("value") or ""
    if incomplete := re.search(r"class_path '(.*)':\s+the following arguments are required: (\w+)", fault.detail):
        needed = f"{_last(incomplete[1])} needs --{fault.option}.{incomplete[2]}"
        return f"{fault.shown(fault.option)}: this class is not complete. {needed}."
    expected, remedy = [], ""
    for text in re.findall(r"(?:Not of type |Expected an? )(typing\.\w+\[.*?\]|<.*?>|\w+)", fault.detail):
        if "Literal[" in text:
            names = [str(name) for name in ast.literal_eval(text.removeprefix("typing.Literal"))]
            given = fault.given(fault.option)[0] or value
            remedy = _did_you_mean(given, names)
            if given == "False" and "off" in names:
                remedy = " YAML reads off as False: write it in quotes."
            expected.append(f"one of {', '.join(names)}")
        elif "NoneType" not in text:
            expected.append(_EXPECTED.get(text, text))
    return f"{fault.shown(fault.option, value)}: expected {' or '.join(dict.fromkeys(expected))}.{remedy}"


_KEY = re.compile(r'Parser key "([^"]*)"')
_KINDS: list[tuple[str, Callable[[_Fault, re.Match[str]], str]]] = [
    (r"Expected a dot import path string: (?P<value>\S*)", _no_such_class),
    (r"Import path (?P<value>\S+) does not (?:correspond|implement)", _no_such_class),
    (r"^No module named|has no attribute|^Problem with given class_path '(?P<value>[^']*)'", _no_such_class),
    (r"^(?:Group '(?P<group>[^']+)' does not accept option|Option) '(?P<name>[^']+)'", _no_such_option),
    (r"^unrecognized arguments: (?P<name>\S+)", _no_such_option),
    (r"^the following arguments are required: (?P<names>.*)", _missing),
    (r"File does not exist: '(?P<path>.*)'", _no_such_file),
    (r'"(?P<name>\w+)": Unable to load config "(?P<value>.*)"', lambda _, m: f"--{m['name']} {m['value']}: {GROUP}"),
    (r"^argument (?P<name>--\S+): expected", lambda _, match: f"{match['name']} needs a value."),
    (r"^(?:Not of type \w+: )?(?P<value>\S+) does not conform to restriction", _bad_value),
    (r"^(?:float|int)\(\) argument must be .* not '(?P<value>\w+)'", _bad_value),
    (r"^Expected an? .*?(?:Got value: (?P<value>.*))?$", _bad_value),
    (r"Not of type|could not convert|invalid literal", _bad_value),
    (r"^Given value: (?P<value>.*)$", _no_such_class),
]


# Wording.


def _causes(ex: BaseException | None) -> Iterator[BaseException]:
    """The exception and what caused it, innermost last."""
    while ex is not None:
        yield ex
        ex = ex.__cause__ or (None if ex.__suppress_context__ else ex.__context__)


def _subclasses(base: type) -> Iterator[type]:
    cls: type
    for cls in base.__subclasses__():
        yield cls
        yield from _subclasses(cls)


def _choose(option: str) -> str:
    names = [f"{name} ({_NOTES[name]})" if name in _NOTES else name for name in sorted(choices(option))]
    return f"Choose one of {', '.join(names)}." if len(names) <= 12 else f"--{option}.help says more."


def _did_you_mean(value: str, names: list[str]) -> str:
    folded = {name.casefold(): name for name in names}
    near = get_close_matches(value.casefold(), folded, n=1, cutoff=0.5)
    return f" Did you mean {folded[near[0]]}?" if near else ""


def _relative(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _last(option: str) -> str:
    return option.rpartition(".")[2]
