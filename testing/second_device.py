"""A second device without an accelerator: tensors on it do not mix with those of the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode

__all__ = ["DEVICES", "SECOND", "other_device", "second_device"]

# Devices that are not the CPU: one that only behaves so, and CUDA where it is there.
DEVICES = ("second", "cuda")
SECOND = torch.device("privateuseone", 0)

_Generator = torch.Generator
_DEVICE = torch.Tensor.device.__get__
_MOVES = (torch.Tensor.to, torch.Tensor.cpu)
_TO_NUMPY = (torch.Tensor.numpy, torch.Tensor.__array__)
# These copy across devices, or look at tensors without computing with them; what comes out is where
# the first argument is.
_ACROSS = (
    torch.Tensor.copy_,
    torch.Tensor.data.__set__,  # type: ignore[attr-defined]
    torch.Tensor.__deepcopy__,
    torch._has_compatible_shallow_copy_type,
)
# Storages that are on the device, also those that outlive its use: tables may be kept. A weak
# reference keeps the address of a storage from being used again.
_THERE: dict[int, StorageWeakRef] = {}


@contextmanager
def second_device() -> Iterator[torch.device]:
    """Lets code compute on a device that is the CPU but behaves as if it were another one.

    What is made on it or moved to it stays there, and so does what is computed from it. As on an
    accelerator, an operation that is given tensors of both devices raises, unless those of the CPU
    are single numbers; so does a draw by a generator of the other device, and `Tensor.numpy`.
    It is stricter in one point: indices must be on the device too, where CUDA would fetch them.

    Example:
        >>> with second_device() as device:
        ...     network = torch.nn.Linear(2, 1).to(device)
        ...     try:
        ...         network(torch.zeros(3, 2))
        ...     except RuntimeError:
        ...         print("left behind")
        left behind
    """
    with patch.object(torch, "Generator", _SecondGenerator), _Mode():
        yield SECOND


def other_device(request: pytest.FixtureRequest) -> torch.device:
    """Returns the device of a fixture with ``params=DEVICES``; skips its test where it is missing.

    Args:
        request: The request of the fixture.
    """
    if request.param == "second":
        stack = ExitStack()
        request.addfinalizer(stack.close)
        return stack.enter_context(second_device())
    if not torch.cuda.is_available():
        pytest.skip("CUDA is not there")
    return torch.device("cuda")


class _AnyGenerator(type(_Generator)):  # type: ignore[misc]
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Generator)


class _SecondGenerator(_Generator, metaclass=_AnyGenerator):
    """A generator of the CPU that says where it was asked for."""

    def __new__(cls, device: torch.device | str = "cpu") -> _SecondGenerator:
        made = super().__new__(cls, device="cpu")  # type: ignore[call-arg]
        made.__dict__["place"] = torch.device(device)
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.__dict__["place"]


class _Mode(TorchFunctionMode):
    """Keeps account of the storages that are on the device."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func == _DEVICE:
            return SECOND if self._on(args[0]) else func(*args)
        if func in _MOVES:
            return self._moved(func, args, kwargs)
        given = list(_tensors((args, kwargs)))
        there = self._on(args[0]) if func in _ACROSS else any(map(self._on, given))
        if there and func in _TO_NUMPY:
            raise TypeError("can't convert a tensor of the second device to numpy")
        if there and func not in _ACROSS:
            left = [each for each in given if each.ndim and not self._on(each)]
            if left:
                raise RuntimeError(
                    "Expected all tensors to be on the same device, but "
                    f"{getattr(func, '__name__', func)} got some of {SECOND} and of cpu"
                )
        device = kwargs.pop("device", None)
        if device is not None:
            there = torch.device(device) == SECOND
        generator = kwargs.get("generator")
        if generator is not None and (generator.device == SECOND) != there:
            raise RuntimeError(f"Expected a generator of the other device than {generator.device}")
        found = func(*args, **kwargs)
        return self._put(found) if there else found

    def _moved(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        x, *said = args
        said += kwargs.values()
        device, dtype = x.device if not self._on(x) else SECOND, x.dtype
        if func is torch.Tensor.cpu:
            device = torch.device("cpu")
        for each in said:
            if isinstance(each, torch.Tensor):
                device, dtype = SECOND if self._on(each) else each.device, each.dtype
            elif isinstance(each, torch.device | str):
                device = torch.device(each)
            elif isinstance(each, torch.dtype):
                dtype = each
        moved = (device == SECOND) != self._on(x)
        found = x.to(dtype, copy=moved or bool(kwargs.get("copy")))
        return self._put(found) if device == SECOND else found

    def _on(self, x: Tensor) -> bool:
        return x.untyped_storage()._cdata in _THERE

    def _put(self, found: Any) -> Any:
        for each in _tensors(found):
            storage = each.untyped_storage()
            _THERE[storage._cdata] = StorageWeakRef(storage)
        return found


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)
