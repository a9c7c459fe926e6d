"""What a network does to one clip, operator by operator, without weights and without work.

The network runs on torch's meta device, where tensors have shapes and no values, and every ATen
operator is written down: which values it read and wrote, its multiply-adds, and which module it
belongs to.
"""

import copy
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import flop_registry

from auricle.tensors import Output

Shape = tuple[int, ...]

# What torch works out in Python on the meta device, a hundred times slower than the rest, although
# the first result is shaped like the first argument.
_SHAPED_ALIKE = frozenset(
    f"aten.{name}.default"
    for name in ("relu", "gelu", "clamp", "hardtanh", "hardswish", "hardsigmoid")
)
_NORMS = frozenset(f"aten.native_{name}_norm.default" for name in ("batch", "layer", "group"))


@dataclass(frozen=True)
class Step:
    """One operator: its name, its arguments in order, and the numbers of the values it touched.

    A tensor among `arguments` is given by its shape. `reads` and `writes` number values: what
    an operator wrote has the same number in every run of the same network.
    """

    operator: str
    arguments: Sequence[Any]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    shapes: Mapping[int, Shape]


@dataclass
class Work:
    """What a module does by itself, its children aside, in one run."""

    name: str
    kind: str
    output_shape: Shape = ()
    parameters: int = 0
    multiply_adds: int = 0
    activation_bytes: int = 0


@dataclass
class Trace:
    """A run of a network.

    `steps` are its operators, `work` that of each module in the order in which they end, and
    `outputs` the numbers of the values that it gives out.
    """

    steps: list[Step] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)
    outputs: tuple[int, ...] = ()


M = TypeVar("M", bound=nn.Module)


def on_meta(module: M) -> M:
    """Return a module in evaluation mode whose parameters and buffers are shapes without values.

    A copy, where the given one is not such a module itself.
    """
    tensors = [*module.parameters(), *module.buffers()]
    if not module.training and all(tensor.is_meta for tensor in tensors):
        return module
    memo: dict[int, Any] = {}
    for parameter in module.parameters():
        empty = torch.empty_like(parameter, device="meta")
        memo[id(parameter)] = nn.Parameter(empty, parameter.requires_grad)
    for buffer in module.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(module, memo).eval()


def trace(module: nn.Module, *arguments: Any) -> Trace:
    """Call a module on the meta device, without gradients, and write down what it does."""
    recorder = _Recorder()
    with torch.no_grad(), recorder.listening_to(module), recorder:
        output = module(*arguments)
    recorder.give_out(output)
    _count_parameters(module, recorder.trace.work)
    return recorder.trace


def _count_parameters(module: nn.Module, work: Sequence[Work]) -> None:
    """Give each parameter to the first run of its module, or of the nearest one above that ran."""
    first = {item.name: item for item in reversed(work)}
    for name, parameter in module.named_parameters():
        owner = name.rpartition(".")[0]
        while owner not in first:
            owner = owner.rpartition(".")[0]
        first[owner].parameters += parameter.numel()


class _Recorder(TorchDispatchMode):
    """Sees every operator between its `__enter__` and `__exit__`."""

    def __init__(self) -> None:
        super().__init__()
        self.trace = Trace()
        self._numbers: dict[int, int] = {}
        self._count = 0
        self._kept: list[Tensor] = []  # an id means a tensor only as long as the tensor lives
        self._running: list[Work] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operator and write it down."""
        kwargs = kwargs or {}
        output = _run(func, args, kwargs)
        given = _tensors((args, kwargs))
        made = _tensors(output)
        work = self._running[-1]
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            work.multiply_adds += count(*args, **kwargs, out_val=output) // 2
        held = {tensor.untyped_storage()._cdata for tensor in given}  # pyright: ignore[reportPrivateUsage]
        for tensor in made:
            if tensor.untyped_storage()._cdata not in held:  # pyright: ignore[reportPrivateUsage]
                work.activation_bytes += tensor.numel() * tensor.element_size()
        self._write_down(str(func.overloadpacket), args, given, made)
        return output

    def _write_down(
        self, operator: str, args: Sequence[Any], given: list[Tensor], made: list[Tensor]
    ) -> None:
        reads = tuple(map(self._number, given))
        shapes = {number: tuple(t.shape) for number, t in zip(reads, given, strict=True)}
        # What is written in place is a new value of an old tensor, and of what it is a view of.
        old = set(map(id, given))
        bases = [tensor._base for tensor in made if id(tensor) in old]  # pyright: ignore[reportPrivateUsage]
        written = [*made, *(base for base in bases if base is not None)]
        writes = tuple(self._number(tensor, new=True) for tensor in written)
        shapes |= {number: tuple(t.shape) for number, t in zip(writes, written, strict=True)}
        arguments = tuple(tuple(a.shape) if isinstance(a, Tensor) else a for a in args)
        self.trace.steps.append(Step(operator, arguments, reads, writes, shapes))

    def _number(self, tensor: Tensor, *, new: bool = False) -> int:
        if new or id(tensor) not in self._numbers:
            self._kept.append(tensor)
            self._numbers[id(tensor)] = self._count
            self._count += 1
        return self._numbers[id(tensor)]

    def give_out(self, output: Any) -> None:
        """Write down what the network answers, an `Output` or plain tensors."""
        given = _tensors(vars(output) if isinstance(output, Output) else output)
        self.trace.outputs = tuple(map(self._number, given))

    @contextmanager
    def listening_to(self, module: nn.Module) -> Generator[None, None, None]:
        """Know which module is at work while the block runs."""
        handles = []
        recurrences = [part for part in module.modules() if isinstance(part, nn.RNNBase)]
        for name, part in module.named_modules():
            before, after = self._hooks(name)
            handles.append(part.register_forward_pre_hook(before))
            handles.append(part.register_forward_hook(after))
        for part in recurrences:
            part.forward = _HollowRecurrence(part)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            for part in recurrences:
                del part.forward

    def _hooks(self, name: str) -> tuple[Callable[..., None], Callable[..., None]]:
        def before(module: nn.Module, inputs: Any) -> None:
            self._running.append(Work(name, type(module).__name__))

        def after(module: nn.Module, inputs: Any, output: Any) -> None:
            made = _tensors(output)
            work = self._running.pop()
            if isinstance(module, nn.RNNBase):  # each step multiplies by every matrix
                self._write_down("recurrence", (), _tensors(inputs), made)
                matrices = sum(p.numel() for p in module.parameters() if p.ndim > 1)
                work.multiply_adds += inputs[0].shape[:2].numel() * matrices
            work.output_shape = tuple(made[0].shape) if made else ()
            self.trace.work.append(work)

        return before, after


def _run(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call an operator, or make what it would, where that is known and takes long."""
    name = str(func)
    if name in _SHAPED_ALIKE:
        return torch.empty_like(args[0])
    if name.replace("_.default", ".default") in _SHAPED_ALIKE:
        return args[0]  # in place
    if name in _NORMS:
        return torch.empty_like(args[0]), args[0].new_empty(0), args[0].new_empty(0)
    return func(*args, **kwargs)


class _HollowRecurrence:
    """Stands in for the `forward` of a recurrent layer, whose steps would be called one by one."""

    def __init__(self, layer: nn.RNNBase) -> None:
        self.layer = layer

    def __call__(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return an output and a last state of the right shapes, for `x` with a batch axis."""
        layer = self.layer
        directions = 2 if layer.bidirectional else 1
        width = layer.proj_size or layer.hidden_size
        output = x.new_empty(*x.shape[:2], directions * width)
        batch = x.shape[0 if layer.batch_first else 1]
        count = directions * layer.num_layers
        last = x.new_empty(count, batch, width)
        if isinstance(layer, nn.LSTM):
            return output, (last, x.new_empty(count, batch, layer.hidden_size))
        return output, last


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor)]
