"""Group commit: several threads wait, one of them writes for all, so that a flush to disk is shared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _Batch(Generic[Item]):
    """What is written together, and whether it is."""

    __slots__ = ("done", "error", "items")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.done = False
        self.error: BaseException | None = None


class GroupCommit(Generic[Item]):
    """Collects items from threads and hands them to *write*, one batch at a time, in the order they came."""

    def __init__(self, write: Callable[[Sequence[Item]], None]) -> None:
        self._write = write
        self._lock = threading.Condition()
        self._pending: _Batch[Item] = _Batch()
        self._writing = False

    def add(self, item: Item) -> None:
        """Put an item into the next batch, without waiting."""
        with self._lock:
            self._pending.items.append(item)

    def commit(self, item: Item | None = None) -> None:
        """Wait until the item, and everything added before, is written.

        Raises:
            BaseException: What *write* raised for the batch; all who waited for it get it.
        """
        with self._lock:
            if item is not None:
                self._pending.items.append(item)
            batch = self._pending
            while self._writing and not batch.done:
                self._lock.wait()
            if not batch.done:
                # Nobody writes: this thread does, for everyone in the batch.
                self._pending = _Batch()
                self._writing = True
        if not batch.done:
            self._lead(batch)
        if batch.error is not None:
            raise batch.error

    def _lead(self, batch: _Batch[Item]) -> None:
        try:
            if batch.items:
                self._write(batch.items)
        except BaseException as error:
            batch.error = error
            raise
        finally:
            with self._lock:
                batch.done = True
                self._writing = False
                self._lock.notify_all()
