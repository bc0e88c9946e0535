"""The processes of one training: joined before it, parted after it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from rass_bench.errors import UserError

if torch.distributed.is_available():
    import torch.distributed.nn.functional


@contextmanager
def joined_processes(cpu: bool) -> Iterator[PartialState]:
    """Join the processes that a launcher started; a process alone joins nobody.

    PyTorch keeps the group of a backend, and its threads, for as long as anything refers to it.
    ``torch.distributed.nn.functional`` does by the defaults of its arguments, if it is imported
    after the group was made, as ``DistributedDataParallel`` imports it: such threads outlive the
    group's destruction, and one that releases a tensor while the interpreter is taken down aborts
    the process. So this module imports it, before a group is made.

    A training that fails parts from nobody, since the others may still wait for it; the launcher
    ends them.

    Args:
        cpu: compute on the CPU though there may be a GPU.

    Yields:
        Which of how many processes this is.
    """
    state = PartialState(cpu=cpu)
    yield state
    state.destroy_process_group()
    gc.collect()  # the wrapped network lies in cycles, and refers to the group


@contextmanager
def held_by_the_first(context: AbstractContextManager[None]) -> Iterator[None]:
    """Hold something in the first process alone; where that is refused, all of them are told.

    Otherwise the others would begin, wait for the first one and end in a broken connection.

    Raises:
        UserError: what the first process met.
    """
    with ExitStack() as stack:
        refused: UserError | None = None
        if PartialState().is_main_process:
            try:
                stack.enter_context(context)
            except UserError as error:
                refused = error
        [refused] = broadcast_object_list([refused])
        if refused is not None:
            raise refused
        yield
