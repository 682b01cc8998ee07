"""What the network is really fed, against hand computations; subsets, held-out images, both test sets."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from test_training import train
from torch import Tensor

from rethink import randomness
from rethink.data import Synthetic
from rethink.errors import UserError
from rethink.models import MLP
from rethink.randomization import (
    GaussianPixels,
    PartiallyCorruptedLabels,
    RandomLabels,
    RandomPixels,
    ShuffledPixels,
    TrueLabels,
)
from rethink.randomization.randomization import PixelCounts, Randomization

N, TESTS, BATCH = 90, 30, 16

EVERY = [
    *(TrueLabels(), PartiallyCorruptedLabels(0.4, 3), RandomLabels(3), ShuffledPixels(3), RandomPixels(3)),
    *(RandomPixels(3, "pixels", "full"), GaussianPixels(3), GaussianPixels(3, "channel", "full")),
]
IDS = [f"{type(r).__name__}-{r.region}-{i}" for i, r in enumerate(EVERY)]


def synthetic(randomization: Randomization, **options: Any) -> Synthetic:
    return Synthetic(randomization=randomization, **{"num_train": N, "num_test": TESTS, "batch_size": BATCH} | options)


class _Fed(MLP):
    """Notes every batch that the network is trained on, and the labels that the loss is taken of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **switches: Any) -> None:
        super().__init__([8], **switches)
        self.images: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.network.register_forward_pre_hook(self._note_images)
        import rethink.training.step

        cross_entropy = rethink.training.step.F.cross_entropy

        def note(logits: Tensor, labels: Tensor, **options: Any) -> Tensor:
            if self.training:
                self.targets.append(labels.clone())
            return cross_entropy(logits, labels, **options)

        monkeypatch.setattr(rethink.training.step.F, "cross_entropy", note)

    def _note_images(self, network: torch.nn.Module, inputs: tuple[Tensor]) -> None:
        if self.training:
            self.images.append(inputs[0].detach().clone())

    def epochs(self, data: Synthetic) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Each epoch's images and labels, put back into the order of the data set."""
        images, labels = torch.cat(self.images).numpy(), torch.cat(self.targets).numpy()
        for epoch, first in enumerate(range(0, len(images), N)):
            order = randomness.permutation(randomness.key(data.seed, "order", epoch), N)
            back = first + np.argsort(order)
            yield images[back], labels[back]


def whitened(windows: np.ndarray) -> np.ndarray:
    """Appendix A by hand, in float64: (n, 28, 28, C) values in [0, 255] -> (n, C, 28, 28)."""
    x = windows.astype(np.float64) / 255
    mean, deviation = x.mean((1, 2, 3), keepdims=True), x.std((1, 2, 3), keepdims=True)
    return ((x - mean) / np.maximum(deviation, x[0].size ** -0.5)).transpose(0, 3, 1, 2)


def sha256(windows: np.ndarray, labels: np.ndarray) -> str:
    """The digest of the record, computed here from the arrays that the test holds in its hands."""
    digest = hashlib.sha256(f"torch.{windows.dtype} {windows.shape}".encode())
    digest.update(labels.astype("<i8").tobytes())
    digest.update(np.ascontiguousarray(windows).tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("randomization", EVERY, ids=IDS)
def test_the_network_is_fed_exactly_what_the_digest_says(randomization, monkeypatch):
    """Mistakes of other reproductions: randomized arrays that are never fed, or redrawn every epoch."""
    model, data = _Fed(monkeypatch), synthetic(randomization)
    train(model, data, max_epochs=2)
    (images, labels), (images2, labels2) = model.epochs(data)

    # Frozen: what an example is in one epoch it is in the next.
    assert np.array_equal(labels, labels2)
    assert np.array_equal(images, images2)

    # The arrays drawn by hand from the originals have the record's digest; the network sees them whitened.
    original, index = data.load(), torch.arange(N)
    expected_labels, corrupted = randomization.labels(original.train_labels, index, 10, "train")
    region = slice(None) if randomization.region == "full" else slice(2, 30)
    originals = original.train_images[:, region, region]
    pixels = randomization.images(originals, index, "train", PixelCounts(lambda: [originals]))
    windows = pixels[:, 2:30, 2:30].numpy() if randomization.region == "full" else pixels.numpy()
    assert data.digests["train"] == sha256(windows, expected_labels.numpy())
    assert np.array_equal(labels, expected_labels.numpy())
    np.testing.assert_allclose(images, whitened(windows), rtol=0, atol=3e-5)

    # Really changed where it should be, and only there.
    untouched = original.train_images[:, 2:30, 2:30].numpy()
    changed = [not np.array_equal(a, b) for a, b in zip(windows, untouched, strict=True)]
    assert all(changed) if randomization.randomizes_images else not any(changed)
    true = original.train_labels.numpy()
    assert (labels != true).any() == bool(corrupted.any())
    assert np.array_equal(labels[~corrupted.numpy()], true[~corrupted.numpy()])


def test_augmentation_changes_the_images_of_each_epoch_and_never_the_labels(monkeypatch):
    model, data = _Fed(monkeypatch, augmentation="random_crop", seed=7), synthetic(RandomLabels(3), seed=7)
    train(model, data, max_epochs=2)
    (images, labels), (images2, labels2) = model.epochs(data)
    assert np.array_equal(labels, labels2)  # fixed to the source image (Table 4)
    same = [np.array_equal(a, b) for a, b in zip(images, images2, strict=True)]
    assert np.mean(same) < 0.2  # one window in 25 falls on itself
    # Each is the window that was drawn for (seed, epoch, index).
    for epoch, fed in enumerate((images, images2)):
        chance = randomness.uniform(randomness.key(7, "crop", epoch), np.arange(N), 2)
        tops, lefts = (chance * 5).astype(int).T
        full = data.load().train_images.numpy()
        windows = np.stack([x[t : t + 28, c : c + 28] for x, t, c in zip(full, tops, lefts, strict=True)])
        np.testing.assert_allclose(fed, whitened(windows), rtol=0, atol=3e-5)


def test_the_evaluation_is_never_augmented(monkeypatch):
    seen: list[Tensor] = []
    model = MLP([8], augmentation="random_crop_flip_rotate")
    model.network.register_forward_pre_hook(lambda net, x: None if net.training else seen.append(x[0].clone()))
    data = synthetic(TrueLabels())
    train(model, data, max_epochs=2)
    centre = whitened(data.load().train_images[:, 2:30, 2:30].numpy())
    for evaluation in (seen[0], seen[2]):  # the training set comes first, then the test set
        np.testing.assert_allclose(evaluation.numpy(), centre, rtol=0, atol=3e-5)
    assert [len(x) for x in seen] == [N, TESTS] * 2


# The randomization stands apart from everything else.


@pytest.mark.parametrize("randomization", EVERY, ids=IDS)
def test_neither_the_training_seed_nor_the_batches_change_the_data(randomization):
    one = synthetic(randomization)
    other = synthetic(randomization, seed=9, batch_size=5, steps_per_call=2)
    for data in (one, other):
        data.setup()
    assert one.digests == other.digests


@pytest.mark.parametrize("randomization", EVERY, ids=IDS)
def test_an_example_is_randomized_alike_in_a_subset(randomization):
    """Also with held-out images; and smaller subsets are part of larger ones."""
    every, some = (
        synthetic(randomization),
        synthetic(randomization, train_size=20, test_size=10, validation_size=15),
    )
    for data in (every, some):
        data.setup()
    for name, of in (("train", "train"), ("test_randomized", "test_randomized"), ("validation", "train")):
        small, large = some.splits[name], every.splits[of]
        assert torch.equal(small.images, large.images[small.index])
        assert torch.equal(small.labels, large.labels[small.index])
        assert torch.equal(small.corrupted, large.corrupted[small.index])


@pytest.mark.parametrize("kind", [RandomLabels, ShuffledPixels, RandomPixels, GaussianPixels])
def test_another_seed_of_the_randomization_is_other_data(kind):
    digests = set()
    for seed in (0, 1):
        data = synthetic(kind(seed))
        data.setup()
        digests.add(data.digests["train"])
    assert len(digests) == 2


@pytest.mark.parametrize(("probability", "same"), [(0, TrueLabels), (1, RandomLabels)])
def test_the_ends_of_the_sweep_have_the_digests_of_true_and_random_labels(probability, same):
    ours, theirs = synthetic(PartiallyCorruptedLabels(probability, 5)), synthetic(same(5))
    for data in (ours, theirs):
        data.setup()
    assert ours.digests == theirs.digests


def test_the_digest_of_this_data_is_this():
    """A change to the generated images, to a draw or to the digest itself would orphan every record."""
    data = synthetic(PartiallyCorruptedLabels(0.4, 3))
    data.setup()
    assert data.digests["train"][:16] == "615ead8a6236fde1"


# Subsets, held-out images, the two test sets.


def test_held_out_images_are_disjoint_from_the_training_set_and_drawn_as_training_images():
    data = synthetic(RandomLabels(1), validation_size=20)
    data.setup()
    train_set, held_out = data.splits["train"], data.splits["validation"]
    assert len(train_set) == N - 20
    assert sorted([*train_set.index.tolist(), *held_out.index.tolist()]) == list(range(N))
    random, _ = RandomLabels(1).labels(data.load().train_labels, torch.arange(N), 10, "train")
    assert torch.equal(held_out.labels, random[held_out.index])


def test_subsets_are_nested_and_follow_their_own_seed():
    def subset(size: int, **options: int) -> set[int]:
        data = synthetic(TrueLabels(), train_size=size, **options)
        data.setup()
        return set(data.splits["train"].index.tolist())

    assert subset(20) < subset(50) < subset(90)
    assert subset(20) == subset(20, seed=4)
    assert subset(20) != subset(20, subset_seed=4)
    assert subset(20) != set(range(20))  # not just the first ones


def test_a_fixed_number_of_training_images_does_not_meet_the_held_out_ones():
    data = synthetic(TrueLabels(), train_size=60, validation_size=30)
    data.setup()
    assert len(data.splits["train"]) == 60
    assert not set(data.splits["train"].index.tolist()) & set(data.splits["validation"].index.tolist())


@pytest.mark.parametrize(
    "options", [{"train_size": 91}, {"train_size": 80, "validation_size": 11}, {"validation_size": 90}]
)
def test_more_training_images_than_there_are_is_an_error_that_says_so(options):
    with pytest.raises(UserError, match="Synthetic has 90 training images"):
        synthetic(TrueLabels(), **options).setup()


def test_more_test_images_than_there_are_is_an_error_that_says_so():
    with pytest.raises(UserError, match="test_size 31 is more than the 30 images"):
        synthetic(TrueLabels(), test_size=31).setup()


@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_an_impossible_batch_size_is_refused_when_the_data_is_built(value):
    with pytest.raises(ValueError, match=str(value)):
        synthetic(TrueLabels(), batch_size=value)


def test_the_test_set_is_evaluated_untouched_and_randomized_under_two_names():
    """For labels the images are the same: one pass gives both. For pixels the two sets of images differ."""
    for randomization in (RandomLabels(2), RandomPixels(2)):
        model, data = MLP([8]), synthetic(randomization)
        train(model, data, max_epochs=1)
        original, index = data.load(), torch.arange(TESTS)
        labels, _ = randomization.labels(original.test_labels, index, 10, "test")
        pixels = original.test_images[:, 2:30, 2:30]
        for name, images, wanted in (
            ("test", pixels, original.test_labels),
            ("test_randomized", randomization.images(pixels, index, "test", PixelCounts(list)), labels),
        ):
            with torch.no_grad():
                logits = model(torch.from_numpy(whitened(images.numpy())).float())
            accuracy = (logits.argmax(1) == wanted).double().mean()
            loss = torch.nn.functional.cross_entropy(logits, wanted)
            assert model.epoch_metrics[f"{name}/accuracy"] == pytest.approx(float(accuracy))
            assert model.epoch_metrics[f"{name}/loss"] == pytest.approx(float(loss), rel=1e-4)


def test_a_checkpoint_of_other_data_is_refused():
    one, other = synthetic(RandomLabels(1)), synthetic(RandomLabels(2))
    for data in (one, other):
        data.setup()
    one.load_state_dict(one.state_dict())
    with pytest.raises(UserError, match=r"trained on other data.*--data.*--force"):
        other.load_state_dict(one.state_dict())
