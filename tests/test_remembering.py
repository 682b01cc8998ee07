"""A parser that has parsed many commands answers as a new one does, and settings are what their YAML says."""

import pytest
import yaml

from rethink.errors import UserError
from rethink.running.arguments import RunCLI

FIT = ("fit", "--config", "configs/base.yaml", "--data", "Synthetic", "--model", "MLP")
COMMANDS = [
    FIT,
    (*FIT, "--model.hidden_sizes", "[4]", "--data.randomization", "RandomLabels"),
    (*FIT, "--model.hidden_sizes", "[4]", "--data.randomization", "GaussianPixels"),
    (*FIT, "--config", "configs/model/small_inception.yaml", "--model.learning_rate", "1e-05"),
    (*FIT, "--model.recipe", "Adam", "--model.recipe.learning_rate", "0.1", "--model.recipe", "null"),
    (*FIT, "--model.recipe", "Adam", "--model.recipe.learning_rate", "0.1", "--model.recipe.average", "0.5"),
    (*FIT, "--data.train_size", "20", "--data.train_size", "null", "--trainer.callbacks+=Timer"),
    (*FIT, "--trainer.logger", "CSVLogger", "--model.weights_from", "10670577e994"),
]


def settings(command: tuple[str, ...]) -> dict[str, object]:
    cli = RunCLI(command)
    text = cli.parser.dump(cli.config, skip_link_targets=False, skip_none=False, skip_validation=True)
    assert cli.config_dump == yaml.safe_load(text)
    assert list(map(type, cli.config_dump["trainer"].values())) == list(
        map(type, yaml.safe_load(text)["trainer"].values())
    )
    return cli.settings


def test_what_was_parsed_before_makes_no_difference(monkeypatch):
    alone = []
    for command in COMMANDS:
        monkeypatch.setattr(RunCLI, "_parsers", {})
        alone.append(settings(command))
    assert len({str(one) for one in alone}) == len(COMMANDS) - 1  # a recipe that is unset is none
    monkeypatch.setattr(RunCLI, "_parsers", {})
    for _ in range(2):
        assert [settings(command) for command in COMMANDS] == alone


def test_what_is_refused_is_refused_again():
    for _ in range(2):
        with pytest.raises(UserError, match=r"--model\.dropout 1\.5"):
            RunCLI((*FIT, "--model.dropout", "1.5"))
        RunCLI((*FIT, "--model.dropout", "0.5"))


def test_what_is_made_of_an_answer_does_not_change_the_next():
    first = RunCLI((*FIT, "--model.hidden_sizes", "[4]"))
    first.config.model.init_args.hidden_sizes.append(5)
    first.config.model.init_args.dropout = 0.9
    first.config_dump["trainer"]["max_epochs"] = 1
    assert RunCLI((*FIT, "--model.hidden_sizes", "[4]")).settings != first.settings
    assert RunCLI((*FIT, "--model.hidden_sizes", "[4]")).config.model.init_args.hidden_sizes == [4]
