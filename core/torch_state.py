"""The global state of torch: what the user set neither changes results nor is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch

__all__ = ["own_torch_state", "users_torch_state"]

OWN_DTYPE, OWN_DEVICE = torch.float32, torch.device("cpu")


@dataclass
class _Users:
    """What the user had set."""

    dtype: torch.dtype
    device: torch.device
    grad: bool
    inference: bool
    autocast: bool

    @classmethod
    def now(cls) -> _Users:
        return cls(
            torch.get_default_dtype(),
            torch.get_default_device(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.is_autocast_enabled("cpu"),
        )


_outside: ContextVar[_Users | None] = ContextVar("users torch state", default=None)


@contextmanager
def own_torch_state() -> Iterator[None]:
    """Computes in float32 on the CPU unless said otherwise, with gradients and without autocast.

    Also a decorator. What was set before is back afterwards; within, `users_torch_state` brings
    it back for code of the user's.

    Example:
        >>> torch.set_default_dtype(torch.float64)
        >>> with own_torch_state():
        ...     print(torch.zeros(1).dtype)
        torch.float32
        >>> torch.zeros(1).dtype
        torch.float64
        >>> torch.set_default_dtype(torch.float32)
    """
    if _outside.get() is not None:
        yield
        return
    users = _Users.now()
    token = _outside.set(users)
    torch.set_default_dtype(OWN_DTYPE)
    try:
        with _entered(_Users(OWN_DTYPE, OWN_DEVICE, True, False, False)):
            yield
    finally:
        torch.set_default_dtype(users.dtype)
        _outside.reset(token)


@contextmanager
def users_torch_state() -> Iterator[None]:
    """Brings back what the user had set, for a call of their code; a dtype set there is kept.

    Example:
        >>> torch.set_default_dtype(torch.float64)
        >>> with own_torch_state(), users_torch_state():
        ...     print(torch.zeros(1).dtype)
        torch.float64
        >>> torch.set_default_dtype(torch.float32)
    """
    users = _outside.get()
    if users is None:
        yield
        return
    token = _outside.set(None)
    torch.set_default_dtype(users.dtype)
    try:
        with _entered(users):
            yield
    finally:
        users.dtype = torch.get_default_dtype()
        torch.set_default_dtype(OWN_DTYPE)
        _outside.reset(token)


@contextmanager
def _entered(wanted: _Users) -> Iterator[None]:
    """Enters what differs from what is set; nothing does as a rule."""
    now = _Users.now()
    with ExitStack() as stack:
        if now.device != wanted.device:
            stack.enter_context(wanted.device)
        if now.inference != wanted.inference:
            stack.enter_context(torch.inference_mode(wanted.inference))
        if torch.is_grad_enabled() != wanted.grad:
            stack.enter_context(torch.set_grad_enabled(wanted.grad))
        if now.autocast != wanted.autocast:
            stack.enter_context(torch.autocast("cpu", enabled=wanted.autocast))
        yield
