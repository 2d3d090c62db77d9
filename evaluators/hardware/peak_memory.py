"""Peak memory of a forward pass."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["peak_memory"]


class _Tracker(TorchDispatchMode):
    """Follows which storages live while operators run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self.take(value)
        return result

    def take(self, value: Tensor) -> None:
        storage = value.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return
        self._seen.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.live -= size


def peak_memory(network: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Tells the bytes that the tensors of a forward pass take at most, weights included.

    What operators need within, such as a convolution's workspace, is not seen on the CPU; on a GPU
    it is, by the allocator's own count.

    Args:
        network: The network, in evaluation mode after the call.
        inputs: A batch of what it takes.

    Example:
        >>> peak_memory(nn.Linear(10, 10, bias=False), [torch.zeros(1, 10)])
        480
    """
    network.eval()
    device = inputs[0].device
    held = [*network.parameters(), *network.buffers(), *inputs]
    weights = sum(each.numel() * each.element_size() for each in held)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        with torch.inference_mode():
            network(*inputs)
        return weights + torch.cuda.max_memory_allocated(device) - before
    tracker = _Tracker()
    for each in held:
        tracker._seen.add(each.untyped_storage()._cdata)
    with torch.no_grad(), tracker:
        network(*inputs)
    return weights + tracker.peak
