"""Work spread over processes that never outlive the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from rass_bench.errors import UserError

T = TypeVar("T")
R = TypeVar("R")


def map_in_processes(function: Callable[[T], R], tasks: Sequence[T], workers: int) -> Iterator[R]:
    """Call ``function`` on each task and yield results as they come, in any order.

    An exception in a worker, or Ctrl-C, lets running tasks end, drops the others and is raised.

    Args:
        function: importable by name, as are its arguments and results.
        tasks: its arguments.
        workers: processes; 1 works in this process.

    Raises:
        UserError: the system killed a worker.
    """
    if workers <= 1 or len(tasks) <= 1:
        yield from map(function, tasks)
        return
    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(tasks)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
    )
    try:
        for future in as_completed([pool.submit(function, task) for task in tasks]):
            yield future.result()
    except BrokenProcessPool:
        raise UserError(
            "a worker process was killed",
            "--workers",
            "Most often memory ran out: use fewer workers; finished images are kept for --resume.",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    cv2.setNumThreads(1)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """End this process when its parent is gone, however it went.

    A worker waits for tasks on a pipe whose other end it holds itself, so that the death of the
    parent alone would leave it waiting for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
