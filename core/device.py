"""Where to compute."""

from __future__ import annotations

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
