"""Bad input: one readable message with the option, its value, what was expected and the nearest name."""

from pathlib import Path

import pytest

from rethink.cli import main

MLP = ["--model", "MLP"]
SYNTHETIC = ["--data", "Synthetic"]
BOTH = [*MLP, *SYNTHETIC]
CORRUPTED = ["--data.randomization", "PartiallyCorruptedLabels"]

# name: (arguments after `rethink fit`, what the message has to say); {folder} has the files below.
BAD: dict[str, tuple[list[str], list[str]]] = {
    "model mistyped": (
        ["--model", "MLPP", *SYNTHETIC],
        ["--model MLPP", "Did you mean MLP?", "SmallInception"],
    ),
    "model unknown": (
        ["--model", "VGG16", *SYNTHETIC],
        ["--model VGG16", "MLP, SmallAlexNet, SmallInception, WideResNet"],
    ),
    "model in lower case": (
        ["--model", "smallinception", *SYNTHETIC],
        ["smallinception", "Did you mean SmallInception?"],
    ),
    "model import path": (
        ["--model", "foo.Bar", *SYNTHETIC],
        ["--model foo.Bar", "there is no such class", "MLP"],
    ),
    "model not a model": (["--model", "torch.nn.Linear", *SYNTHETIC], ["--model torch.nn.Linear", "MLP"]),
    "model a base class": (
        ["--model", "Classifier", *SYNTHETIC],
        ["--model Classifier", "MLP, SmallAlexNet, SmallInception"],
    ),
    "model missing": (SYNTHETIC, ["--model is missing", "SmallAlexNet, SmallInception, WideResNet"]),
    "model missing, an option set": (
        ["--model.learning_rate", "0.1", *SYNTHETIC],
        ["--model is missing", "WideResNet"],
    ),
    "leaf before its class": (
        ["--model.dropout", "0.5", *BOTH],
        ["--model.dropout 0.5", "--model has to stand before"],
    ),
    "data mistyped": ([*MLP, "--data", "CIFAR"], ["--data CIFAR", "Did you mean CIFAR10?"]),
    "data missing": (MLP, ["--data is missing", "CIFAR10", "Synthetic (generated images, no download)"]),
    "data a base class": ([*MLP, "--data", "ImageDataModule"], ["--data", "ImageDataModule", "CIFAR10"]),
    "randomization mistyped": (
        [*BOTH, "--data.randomization", "RandomLabel"],
        ["--data.randomization RandomLabel", "Did you mean RandomLabels?"],
    ),
    "randomization's leaf before it": (
        [*BOTH, "--data.randomization.probability", "0.5"],
        ["--data.randomization.probability 0.5", "--data.randomization has to stand before", "RandomLabels"],
    ),
    "probability missing": (
        [*BOTH, *CORRUPTED],
        ["--data.randomization.probability is missing", "0 is TrueLabels"],
    ),
    "probability 1.5": (
        [*BOTH, *CORRUPTED, "--data.randomization.probability", "1.5"],
        ["--data.randomization.probability 1.5", "a number from 0 to 1"],
    ),
    "probability a word": (
        [*BOTH, *CORRUPTED, "--data.randomization.probability", "half"],
        ["--data.randomization.probability half", "a number from 0 to 1"],
    ),
    "probability mistyped": (
        [*BOTH, *CORRUPTED, "--data.randomization.probabilty", "0.5"],
        ["--data.randomization.probabilty 0.5", "Did you mean --data.randomization.probability?"],
    ),
    "option of a class": (
        [*BOTH, "--model.dropuot", "0.5"],
        ["--model.dropuot 0.5", "MLP has no such option", "Did you mean --model.dropout?"],
    ),
    "option of another class": (
        ["--model", "SmallAlexNet", *SYNTHETIC, "--model.hidden_sizes", "[3]"],
        ["--model.hidden_sizes [3]", "SmallAlexNet has no such option", "weight_decay"],
    ),
    "option": (["--modle", "MLP", *SYNTHETIC], ["--modle MLP", "Did you mean --model?"]),
    "option with a leaf": (
        [*BOTH, "--modle.dropout", "0.5"],
        ["--modle.dropout 0.5", "Did you mean --model.dropout?"],
    ),
    "option abbreviated": (
        [*BOTH, "--trainer.max_epoch", "3"],
        ["--trainer.max_epoch 3", "Did you mean --trainer.max_epochs?"],
    ),
    "option without a value": ([*BOTH, "--trainer.max_epochs"], ["--trainer.max_epochs needs a value"]),
    "left over": ([*BOTH, "RandomLabels"], ["'RandomLabels' is left over", "--name value"]),
    "linked": ([*BOTH, "--model.seed", "3"], ["--model.seed", "use --seed_everything"]),
    "dropout 1.5": ([*BOTH, "--model.dropout", "1.5"], ["--model.dropout 1.5", "a number from 0 to 1"]),
    "batch size 0": ([*BOTH, "--data.batch_size", "0"], ["--data.batch_size 0", "a whole number above 0"]),
    "learning rate -1": (
        [*BOTH, "--model.learning_rate=-1"],
        ["--model.learning_rate -1", "a number above 0"],
    ),
    "layer of no units": (
        [*BOTH, "--model.hidden_sizes", "[0]"],
        ["--model.hidden_sizes [0]", "a whole number above 0"],
    ),
    "no list": (
        [*BOTH, "--model.hidden_sizes", "512"],
        ["--model.hidden_sizes 512", "a list in brackets, such as [512]"],
    ),
    "epochs abc": ([*BOTH, "--trainer.max_epochs", "abc"], ["--trainer.max_epochs abc", "a whole number"]),
    "no boolean": ([*BOTH, "--model.batch_norm", "maybe"], ["--model.batch_norm maybe", "true or false"]),
    "augmentation": (
        [*BOTH, "--model.augmentation", "random_corp"],
        [
            "--model.augmentation random_corp",
            "one of none, random_crop, flip_rotate",
            "Did you mean random_crop?",
        ],
    ),
    "precision": ([*BOTH, "--precision", "16-mixed"], ["--precision 16-mixed", "32-true", "bf16-mixed"]),
    "precision of the trainer": (
        [*BOTH, "--trainer.precision", "16-mixed"],
        ["--trainer.precision 16-mixed", "Use --precision with one of auto, 32-true"],
    ),
    "wandb": ([*BOTH, "--wandb", "of"], ["--wandb of", "off, offline, online", "Did you mean off?"]),
    "rule": ([*BOTH, "--convergence.stop_rule", "acc>1"], ["'acc>1'", "such as accuracy>=0.99"]),
    "more images than there are": (
        [*BOTH, "--data.train_size", "9999"],
        ["train_size 9999", "512 training images"],
    ),
    "accelerator": ([*BOTH, "--trainer.accelerator", "gpux"], ["gpux", "cuda"]),
    "options of the trainer": ([*BOTH, "--trainer.max_epochs", "-3"], ["max_epochs", "-3", "non-negative"]),
    "manual optimization": ([*BOTH, "--trainer.gradient_clip_val", "1"], ["gradient_clip_val=1", "Remove"]),
    "logger": (
        [*BOTH, "--trainer.logger", "CSVLoger"],
        ["--trainer.logger CSVLoger", "Did you mean CSVLogger?"],
    ),
    "help of no class": (["--model.help", "MLPP"], ["MLPP", "Did you mean MLP?"]),
    "checkpoint not there": (
        [*BOTH, "--ckpt_path", "no.ckpt"],
        ["--ckpt_path no.ckpt", "there is no such file"],
    ),
    "config not there": (
        [*BOTH, "--config", "configs/bse.yaml"],
        ["--config configs/bse.yaml", "there is no such file", "Did you mean configs/base.yaml?"],
    ),
    "config not YAML": (
        [*BOTH, "--config", "{folder}/broken.yaml"],
        ["{folder}/broken.yaml, line 2", "not YAML"],
    ),
    "config not options": (
        [*BOTH, "--config", "{folder}/list.yaml"],
        ["{folder}/list.yaml", "trainer: {{max_epochs"],
    ),
    "key in a config": (
        [*BOTH, "--config", "{folder}/key.yaml"],
        ["--trainer.max_epoch 5 in {folder}/key.yaml", "Did you mean --trainer.max_epochs?"],
    ),
    "key of a class in a config": (
        [*SYNTHETIC, "--config", "{folder}/leaf.yaml"],
        ["--model.dropuot 0.5 in {folder}/leaf.yaml", "Did you mean --model.dropout?"],
    ),
    "value in a config": (
        [*SYNTHETIC, "--config", "{folder}/value.yaml"],
        ["--model.dropout 1.5 in {folder}/value.yaml", "a number from 0 to 1"],
    ),
    "config not YAML, by a relative path": (
        [*BOTH, "--config", "other/broken.yaml"],
        ["--config other/broken.yaml, line 2", "not YAML"],
    ),
    "value in a config, by a relative path": (
        [*SYNTHETIC, "--config", "other/value.yaml"],
        ["--model.dropout 1.5 in other/value.yaml"],
    ),
    "config in UTF-16": ([*BOTH, "--config", "{folder}/utf16.yaml"], ["{folder}/utf16.yaml", "UTF-8"]),
    "config binary": ([*BOTH, "--config", "{folder}/binary.yaml"], ["{folder}/binary.yaml", "UTF-8"]),
    "config of control characters": ([*BOTH, "--config", "{folder}/control.yaml"], ["control.yaml", "not YAML"]),
    "config empty": ([*BOTH, "--config", "{folder}/empty.yaml"], ["{folder}/empty.yaml: it is empty"]),
    "config a folder": ([*BOTH, "--config", "{folder}"], ["--config {folder}", "Is a directory"]),
    "config nothing": ([*BOTH, "--config", ""], ["--config (nothing)"]),
    "config of a long name": ([*BOTH, "--config", "a" * 5000], ["--config aaa", "name too long"]),
    "off without quotes": (
        [*BOTH, "--config", "{folder}/off.yaml"],
        ["--wandb False in {folder}/off.yaml", "YAML reads off as False: write it in quotes"],
    ),
    "trainer a number": ([*BOTH, "--trainer", "5"], ["--trainer 5: expected options by name"]),
    "trainer a number in a config": (
        [*BOTH, "--config", "{folder}/trainer.yaml"],
        ["--trainer 5 in {folder}/trainer.yaml: expected options by name"],
    ),
    "devices that are not there": (
        [*BOTH, "--trainer.devices", "999"],
        ["--trainer.devices 999", "no GPU", "at most"],
    ),
    "devices a word": ([*BOTH, "--trainer.devices", "x"], ["--trainer.devices x", "auto, a number"]),
    "seed below 0": ([*BOTH, "--seed_everything", "-3"], ["--seed_everything -3", "from 0 to 4294967295"]),
    "seed below 0 in a config": (
        [*BOTH, "--config", "{folder}/seed.yaml"],
        ["--seed_everything -3 in {folder}/seed.yaml", "from 0 to 4294967295"],
    ),
    "seed too large": ([*BOTH, "--seed_everything", "9" * 20], ["from 0 to 4294967295"]),
}
FILES = {
    "other/broken.yaml": "model: [1, 2\ntrainer: {\n",
    "other/value.yaml": "model:\n  class_path: MLP\n  init_args:\n    dropout: 1.5\n",
    "utf16.yaml": "trainer:\n  max_epochs: 5\n".encode("utf-16"),
    "binary.yaml": bytes(range(128, 256)),
    "control.yaml": "\x00\x01",
    "empty.yaml": "",
    "off.yaml": "wandb: off\n",
    "trainer.yaml": "trainer: 5\n",
    "seed.yaml": "seed_everything: -3\n",
    "broken.yaml": "model: [1, 2\ntrainer: {\n",
    "list.yaml": "- 1\n- 2\n",
    "key.yaml": "trainer:\n  max_epoch: 5\n",
    "leaf.yaml": "model:\n  class_path: MLP\n  init_args:\n    dropuot: 0.5\n",
    "value.yaml": "model:\n  class_path: MLP\n  init_args:\n    dropout: 1.5\n",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_message(name, runs, tmp_path, capsys, monkeypatch):
    (tmp_path / "other").mkdir()
    for file, text in FILES.items():
        (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    arguments, expected = BAD[name]
    if "by a relative path" in name:
        monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit:
        main(["fit", "--trainer.devices", "1", *(argument.format(folder=tmp_path) for argument in arguments)])
    output = capsys.readouterr()
    assert exit.value.code == 2
    message = output.err.strip()
    assert message.startswith("rethink: ")
    assert len(message.splitlines()) == 1, message
    assert output.out == ""
    for part in expected:
        assert part.format(folder=tmp_path) in message
    for noise in ("init_args", "Traceback", "usage", "<class", "Union", "Parser key"):
        assert noise not in message
    assert not list(runs.glob("*"))


def test_a_mistyped_command(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["fti"])
    assert exit.value.code == 2
    assert "'fti'. Did you mean 'fit'?" in capsys.readouterr().err


def test_an_own_class_by_its_import_path_is_accepted(fit, tmp_path: Path, monkeypatch):
    """Errors list what is here; they do not keep anyone from a class of their own."""
    (tmp_path / "mine.py").write_text("from rethink.models import MLP\n\nclass Mine(MLP):\n    '''Mine.'''\n")
    monkeypatch.syspath_prepend(tmp_path)
    run = fit("--model", "mine.Mine", *SYNTHETIC, "--data.num_train", "64", "--trainer.max_epochs", "1")
    assert run.model == "Mine"
