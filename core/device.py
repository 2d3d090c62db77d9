"""Where to compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .errors import UsageError


def resolve_device(name: str = "auto") -> torch.device:
    """Returns the device of that name; ``auto`` is CUDA where there is one, else the CPU.

    Raises:
        UsageError: For a name torch does not know or a device that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"There is no device {name!r} here: {str(error).splitlines()[0]}",
            "Use auto, cpu, or cuda where there is one.",
        ) from error
    return device


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Lets torch compute with some threads on the CPU, for a while.

    Args:
        count: How many.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
