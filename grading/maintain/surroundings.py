"""What must make no difference: the surroundings of a probe, and the clothes that a right answer wears."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, wraps
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ..content import known_answers
from ..content.tasks import TASKS, module_of

Function = Callable[..., Any]


@contextmanager
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def in_float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def on_another_device() -> Iterator[None]:
    """`meta`, where tensors have no numbers: whatever were made there would be noticed."""
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


Surroundings = Callable[[], AbstractContextManager[None]]
SURROUNDINGS: tuple[Surroundings, ...] = (  # in turn, one for each seed
    *(in_float64, on_another_device, two_threads),
    *[nullcontext] * 13,
)


@cache
def restyled(task: str) -> dict[str, ModuleType]:
    """The reference in every style in which it runs: float64 is none where a network comes in float32."""
    name, symbol = module_of(task), TASKS[task]["symbol"]
    found: dict[str, ModuleType] = {}
    for style in (with_random_numbers, in_another_layout, with_float64_inside):
        module = known_answers.module(name)
        if inspect.isfunction(function := getattr(module, symbol, None)):
            setattr(module, symbol, style(function))
            got = known_answers.probe_arrays(task, module, 0, known_answers.tables(task, 0))
            found |= {} if "raises" in got else {f"the reference {style.__name__.replace('_', ' ')}": module}
    return found


def with_random_numbers(function: Function) -> Function:
    """Whoever draws from the global generator changes nothing but its state."""

    @wraps(function)
    def styled(*args: Any, **kwargs: Any) -> Any:
        torch.rand(3)
        return function(*args, **kwargs)

    return styled


def in_another_layout(function: Function) -> Function:
    """The same numbers in another order of memory."""

    @wraps(function)
    def styled(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        return mapped(lambda t: t.transpose(0, -1).contiguous().transpose(0, -1) if t.ndim > 1 else t, result)

    return styled


def with_float64_inside(function: Function) -> Function:
    """Twice the digits on the way; arguments by name; the result as it should be."""

    @wraps(function)
    def styled(*args: Any, **kwargs: Any) -> Any:
        given = inspect.signature(function).bind(*args, **kwargs).arguments
        wide = {name: mapped(lambda t: t.double() if t.dtype == torch.float32 else t, a) for name, a in given.items()}
        narrow = any(a is not given[name] for name, a in wide.items())
        result = function(**wide)
        return mapped(lambda t: t.float() if t.dtype == torch.float64 else t, result) if narrow else result

    return styled


def mapped(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """A tensor, or the tensors of a tuple, changed; whatever is none stays the very same."""
    if isinstance(value, tuple) and any(isinstance(item, Tensor) for item in value):
        items = [mapped(change, item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return change(value) if isinstance(value, Tensor) else value
