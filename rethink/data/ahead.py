"""Reading ahead: batches of a given order, read by other processes while the network works on the ones before."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rethink.errors import UserError

T = TypeVar("T")


def read_ahead(read: Callable[[Tensor], T], batches: Sequence[Tensor], workers: int) -> Iterator[T]:
    """What `read` gives for the batches, in their order.

    Args:
        read: From (b,) int64 indices to anything that can be sent to another process.
        batches: In the order in which they are wanted.
        workers: Processes, forked where the system can. 0: it is read here, when it is asked for.

    Raises:
        UserError: `read` has raised it.
    """
    loader = DataLoader(
        _Read(read),
        batch_size=None,
        # Numbers, and no tensor: torch sends a tensor as an open file, which a forked process cannot always serve.
        sampler=cast(Any, [batch.tolist() for batch in batches]),
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context="fork" if workers and "fork" in multiprocessing.get_all_start_methods() else None,
        worker_init_fn=_leave_signals_alone,
        # torch would draw the workers' seed from its global generator, from which the network may draw too.
        generator=torch.Generator(),
    )
    for batch in loader:
        if isinstance(batch, _Refused):
            raise UserError(batch.message)
        yield batch


class _Refused:
    """A UserError on its way from another process, which torch would wrap into a traceback."""

    def __init__(self, message: str) -> None:
        self.message = message


class _Read(Dataset[Any]):
    def __init__(self, read: Callable[[Tensor], Any]) -> None:
        self.read = read

    def __getitem__(self, index: list[int]) -> Any:
        try:
            return self.read(torch.tensor(index))
        except UserError as error:
            return _Refused(str(error))


def _leave_signals_alone(worker: int) -> None:
    """A cluster signals all processes of a job, and only the one that trains knows what to save. It ends the others."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
