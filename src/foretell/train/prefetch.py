"""Batches that are made ahead of the steps that need them.

A thread reads the next batches while a step computes. With a GPU, the thread also pins them and copies them there,
beside the computation. The batch of a step depends on its number alone: the thread draws nothing, and reads the samples
that it is given.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

import torch

from foretell.data import Batch

AHEAD = 2
"""Batches that wait at most: one would do if all took equally long, and each costs its memory."""


class Prefetched:
    """Batches in order, made ahead by a thread; a context manager, at whose end the thread is gone.

    Args:
        numbers: the numbers of the batches, in the order of their use.
        make: makes the batch of a number, in memory; called by the thread alone.
        device: the device of the batches.
        ahead: batches that wait at most.
    """

    def __init__(
        self, numbers: Iterable[int], make: Callable[[int], Batch], device: torch.device, ahead: int = AHEAD
    ) -> None:
        self._numbers, self._make, self._device = numbers, make, device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._ready: queue.Queue[tuple[Batch, torch.cuda.Event | None] | BaseException | None] = queue.Queue(ahead)
        self._ended = threading.Event()
        # a daemon: a process that ends does not wait for it
        self._thread = threading.Thread(target=self._work, name="prefetch", daemon=True)

    def __enter__(self) -> Prefetched:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        while self._thread.is_alive():  # it may wait to put a batch into a full queue
            self._drop()
            self._thread.join(0.01)
        self._drop()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        """The next batch, on the device. Raises what making it raised."""
        found = self._ready.get()
        if found is None or isinstance(found, BaseException):
            self._ready.put(found)  # a second call raises the same error
            raise StopIteration if found is None else found
        batch, copied = found
        if copied is not None:
            now = torch.cuda.current_stream(self._device)
            now.wait_event(copied)  # the device waits for the copy; this thread does not
            batch.map(lambda tensor: _used(tensor, now))
        return batch

    def _work(self) -> None:
        try:
            for number in self._numbers:
                if self._ended.is_set():
                    return
                self._ready.put(self._moved(self._make(number)))
        except BaseException as error:  # for the thread that needs the batch
            self._ready.put(error)
        else:
            self._ready.put(None)

    def _moved(self, batch: Batch) -> tuple[Batch, torch.cuda.Event | None]:
        if self._stream is None:
            return batch.to(self._device), None
        with torch.cuda.stream(self._stream):
            batch, copied = batch.pin_memory().to(self._device, non_blocking=True), torch.cuda.Event()
            copied.record(self._stream)
            return batch, copied

    def _drop(self) -> None:
        while True:
            try:
                self._ready.get_nowait()
            except queue.Empty:
                return


def _used(tensor: torch.Tensor, stream: torch.cuda.Stream) -> torch.Tensor:
    """Tell the allocator that a tensor of one stream is used in another, so that its memory is not given away."""
    tensor.record_stream(stream)
    return tensor
