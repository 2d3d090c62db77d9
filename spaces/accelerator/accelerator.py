"""Accelerators as a space: arrays of multipliers, their memories, bandwidths and bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from ...core.errors import UsageError
from ...core.seeding import Seed, make_generator
from ..space import Space
from ..task import Task
from ..variable import Variable

__all__ = ["Accelerator", "near_square"]

Value = str | int | float
Choices = Sequence[Value] | Value
# What decides whether there is an array at all, and what it then takes of what all share.
ELEMENTS, BANDWIDTH = "processing_elements", "noc_bytes_per_cycle"
# Encodings up to which architectures are counted one by one.
COUNTED = 1 << 24
# Rows drawn at a time, and how often, until enough of them keep the limits.
DRAWN, PATIENCE = 4096, 1000


class Accelerator(Space):
    """Chips of one or several arrays; every field has its choices, and one alone is fixed.

    In a product with networks, ``"nasbench201 x accelerator"``, both are designed together: the
    evaluator ``hardware`` tells what the one costs on the other. Arrays of a chip are alike in what
    they may be, so that their order means nothing; one without processing elements is left out.

    Args:
        arrays: Arrays of the chip.
        dataflow: Names of `vitruvius.evaluators.hardware.cost_model.DATAFLOWS`.
        processing_elements: Multipliers of an array, laid out as nearly square as they divide; by
            default rows and columns say how many there are.
        rows: Rows of an array.
        columns: Columns of an array.
        buffer_kib: Global buffer, in units of 1,024 bytes.
        register_bytes: Register file of each element.
        noc_bytes_per_cycle: Bandwidth between buffer and array.
        dram_bytes_per_cycle: Bandwidth of the memory outside.
        weight_bits: Bits of a weight.
        activation_bits: Bits of an input or output.
        sum_bits: Bits of a partial sum.
        clock_mhz: Clock.
        most_elements: Processing elements of all arrays together at most; 0 for any number.
        most_noc_bytes_per_cycle: Bandwidth between buffer and arrays together; 0 for any.

    Raises:
        UsageError: For fields without choices, or limits that nothing keeps.

    Example:
        >>> chips = Accelerator(rows=[8, 16], columns=16, weight_bits=8)
        >>> chips.architecture_count, [v.name for v in chips.variables][:2]
        (450, ['dataflow', 'rows'])
        >>> chips.hardware(chips.sample(2, 0))["columns"].tolist()
        [[16.0], [16.0]]
    """

    name = "accelerator"
    buildable = False

    def __init__(
        self,
        *,
        arrays: int = 1,
        dataflow: Choices = ("weight-stationary", "output-stationary", "row-stationary"),
        processing_elements: Choices = (),
        rows: Choices = (8, 12, 16, 24, 32),
        columns: Choices = (8, 14, 16, 28, 32),
        buffer_kib: Choices = (32, 64, 128, 256, 512),
        register_bytes: Choices = (64, 256, 512),
        noc_bytes_per_cycle: Choices = (16, 32, 64, 128, 256),
        dram_bytes_per_cycle: Choices = 8,
        weight_bits: Choices = (8, 16),
        activation_bits: Choices = 16,
        sum_bits: Choices = 32,
        clock_mhz: Choices = 200,
        most_elements: int = 0,
        most_noc_bytes_per_cycle: int | float = 0,
    ) -> None:
        fields: dict[str, Choices] = {
            "dataflow": dataflow,
            ELEMENTS: processing_elements,
            "rows": rows,
            "columns": columns,
            "buffer_kib": buffer_kib,
            "register_bytes": register_bytes,
            BANDWIDTH: noc_bytes_per_cycle,
            "dram_bytes_per_cycle": dram_bytes_per_cycle,
            "weight_bits": weight_bits,
            "activation_bits": activation_bits,
            "sum_bits": sum_bits,
            "clock_mhz": clock_mhz,
        }
        self._fields = {name: _listed(name, choices) for name, choices in fields.items()}
        for left_out in ("rows", "columns") if self._fields[ELEMENTS] else (ELEMENTS,):
            del self._fields[left_out]
        for name, choices in self._fields.items():
            if not choices:
                raise UsageError(f"A chip needs {name}.", "Give one or several choices.")
        if arrays < 1:
            raise UsageError(f"A chip has one array or more, got {arrays}.", "Give arrays=1.")
        # Other choices are another space, whose architectures are not this one's.
        self.name = super().text
        self.arrays = arrays
        self.limits = {ELEMENTS: float(most_elements), BANDWIDTH: float(most_noc_bytes_per_cycle)}
        self._free = [name for name, choices in self._fields.items() if len(choices) > 1]
        self.nodes = ("memory", *(f"array {k}" if arrays > 1 else "array" for k in self._numbers))
        self.skeleton = tuple((0, node) for node in self._numbers)
        self.inputs, self.outputs = (0,), tuple(self._numbers)
        self.variables = tuple(
            Variable(
                f"{name}_{k}" if arrays > 1 else name,
                tuple(map(str, self._fields[name])),
                "hardware",
                (k,),
                (),
                self._fields[name],
            )
            for k in self._numbers
            for name in self._free
        )
        if not self.variables:
            raise UsageError("A chip without choices is no space.", "Give some, e.g. rows=[8,16].")
        if not bool(self.is_valid(self._least[None])[0]):
            raise UsageError(
                f"No chip keeps the limits {self.limits}.", "Raise them, or give smaller choices."
            )

    @property
    def text(self) -> str:
        return self.name

    @property
    def _numbers(self) -> range:
        return range(1, self.arrays + 1)

    # -- what a chip is -------------------------------------------------------------------------

    def hardware(self, x: Int[Tensor, "B V"]) -> dict[str, Shaped[Tensor, "B S"]]:
        """Returns the fields of chips, one column for each array.

        Args:
            x: Valid choice indices.

        Returns:
            ``rows`` and ``columns`` (0 for an array that is left out) and the other fields by their
            names, ``buffer_bytes`` for the buffer; the ``dataflow`` as positions in `dataflows`.
        """
        told = {
            name: self._values(x, name)
            for name in self._fields
            if name not in ("dataflow", ELEMENTS, "buffer_kib")
        }
        told["buffer_bytes"] = 1024 * self._values(x, "buffer_kib")
        told["dataflow"] = self._indices(x, "dataflow")
        if ELEMENTS in self._fields:
            elements = self._values(x, ELEMENTS)
            rows = self._sides[elements.long()]
            told["rows"], told["columns"] = rows, elements / rows.clamp(min=1)
        return told

    @property
    def dataflows(self) -> tuple[str, ...]:
        """The dataflows that arrays may have, by name."""
        return tuple(map(str, self._fields["dataflow"]))

    # -- the space ------------------------------------------------------------------------------

    @cached_property
    def architecture_count(self) -> int:
        if self.encoding_count <= COUNTED:
            return sum(map(len, self._canonical_blocks()))
        each = math.prod(len(self._fields[name]) for name in self._free)
        if any(self.limits.values()) or self._may_be_left_out:
            raise UsageError(
                f"{self.encoding_count:.3g} chips with limits are too many to count.",
                "Give fewer choices.",
            )
        return math.comb(each + self.arrays - 1, self.arrays)

    def is_valid(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        valid = self.in_range(x)
        inside = torch.where(valid[:, None], x, 0)
        there = self._there(inside)
        valid = valid & there.any(1)
        for name, limit in self.limits.items():
            if limit:
                valid = valid & (self._load(inside, name).sum(1) <= limit)
        return valid

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        parts = x.unflatten(1, (self.arrays, -1))
        parts = torch.where(self._there(x)[..., None], parts, 0)
        radix = [len(self._fields[name]) for name in self._free]
        weights = torch.tensor([math.prod(radix[i + 1 :]) for i in range(len(radix))])
        order = (parts * weights.to(x.device)).sum(2).argsort(dim=1, descending=True, stable=True)
        return parts.gather(1, order[..., None].expand_as(parts)).flatten(1)

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws chips uniformly: what can be written in several ways is drawn as often as others.

        Args:
            n: How many.
            seed: A generator, an integer seed, or None for a fresh one.
        """
        generator, found, some = make_generator(seed), 0, []
        for _ in range(PATIENCE):
            x = self._uniform(DRAWN, generator)
            ways = self._ways(x)
            kept = torch.rand(DRAWN, generator=generator, dtype=torch.float64) * ways < 1
            x = x[kept & self.is_valid(x)]
            some.append(self.canonical(x))
            found += len(x)
            if found >= n:
                return torch.cat(some)[:n]
        raise UsageError(
            f"Hardly any chip keeps the limits {self.limits}.", "Raise them, or give fewer choices."
        )

    def shuffle(self, x: Int[Tensor, "B V"], seed: Seed = None) -> Int[Tensor, "B V"]:
        parts = x.unflatten(1, (self.arrays, -1))
        order = torch.rand(parts.shape[:2], generator=make_generator(seed)).argsort(1)
        return parts.gather(1, order[..., None].expand_as(parts)).flatten(1)

    def allowed(self, x: Int[Tensor, "B V"], known: Bool[Tensor, "B V"]) -> Bool[Tensor, "B V C"]:
        if not any(self.limits.values()) and not self._may_be_left_out:
            return super().allowed(x, known)
        least = self._least.to(x.device).expand_as(x)
        mask = self.choice_mask.to(x.device)
        found = mask.expand(len(x), -1, -1).clone()
        base = torch.where(known, x, least)
        for column in range(x.shape[1]):
            for choice in range(int(mask[column].sum())):
                tried = base.clone()
                tried[:, column] = choice
                found[:, column, choice] = self._completes(tried, known, column)
        return found

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        """Counts nothing: a chip has no parameters."""
        return {}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        raise UsageError("A chip builds no module.", 'Join it to networks: "darts x accelerator".')

    # -- arrays ---------------------------------------------------------------------------------

    def _indices(self, x: Tensor, name: str) -> Tensor:
        """Choice of a field in every array; 0 where it is fixed."""
        if name not in self._free:
            return x.new_zeros(len(x), self.arrays)
        return x.unflatten(1, (self.arrays, -1))[..., self._free.index(name)]

    def _values(self, x: Tensor, name: str) -> Float[Tensor, "B S"]:
        values = [float(value) for value in self._fields[name]]
        return torch.tensor(values, dtype=torch.float64, device=x.device)[self._indices(x, name)]

    @property
    def _may_be_left_out(self) -> bool:
        return 0 in self._fields.get(ELEMENTS, ())

    def _elements(self, x: Tensor) -> Float[Tensor, "B S"]:
        if ELEMENTS in self._fields:
            return self._values(x, ELEMENTS)
        return self._values(x, "rows") * self._values(x, "columns")

    def _there(self, x: Tensor) -> Bool[Tensor, "B S"]:
        return self._elements(x) > 0

    def _load(self, x: Tensor, name: str) -> Float[Tensor, "B S"]:
        """What each array takes of what all share."""
        if name == ELEMENTS:
            return self._elements(x)
        return torch.where(self._there(x), self._values(x, name), 0.0)

    @cached_property
    def _least(self) -> Int[Tensor, " V"]:
        """Choices that take least of what is limited; one array has elements."""
        chosen = []
        for _ in self._numbers:
            for name in self._free:
                values = self._fields[name]
                numbers = [0.0 if isinstance(v, str) else float(v) for v in values]
                chosen.append(min(range(len(numbers)), key=numbers.__getitem__))
        least = torch.tensor(chosen)
        if self._may_be_left_out and ELEMENTS in self._free:
            positive = [float(v) or math.inf for v in self._fields[ELEMENTS]]
            least[self._free.index(ELEMENTS)] = min(range(len(positive)), key=positive.__getitem__)
        return least

    def _completes(self, tried: Tensor, known: Tensor, column: int) -> Bool[Tensor, " B"]:
        """Whether what is known and tried can still become a chip.

        The rest takes least. Where arrays may be left out, those whose elements are open are, but
        for one where none has any.
        """
        if not self._may_be_left_out:
            return self.is_valid(tried)
        place = self._free.index(ELEMENTS)
        columns = [place + array * len(self._free) for array in range(self.arrays)]
        zero = self._fields[ELEMENTS].index(0)
        open_ = ~known[:, columns]
        for array, at in enumerate(columns):
            if at == column:
                open_[:, array] = False
        out = tried.clone()
        for array, at in enumerate(columns):
            out[:, at] = torch.where(open_[:, array], zero, out[:, at])
        valid = self.is_valid(out)
        smallest = int(self._least[place])
        for array, at in enumerate(columns):
            one = out.clone()
            one[:, at] = torch.where(open_[:, array], smallest, one[:, at])
            valid = valid | self.is_valid(one)
        return valid

    def _ways(self, x: Tensor) -> Float[Tensor, " B"]:
        """In how many ways a chip can be written."""
        there = self._there(x)
        canonical = self.canonical(x).unflatten(1, (self.arrays, -1))
        ways = torch.full((len(x),), float(math.factorial(self.arrays)), dtype=torch.float64)
        # Equal arrays that change places are no other way.
        run = torch.ones(len(x), dtype=torch.float64)
        for array in range(1, self.arrays):
            same = (canonical[:, array] == canonical[:, array - 1]).all(1)
            run = torch.where(same, run + 1, 1.0)
            ways = ways / run
        others = math.prod(len(self._fields[n]) for n in self._free if n != ELEMENTS)
        return ways * float(others) ** (~there).sum(1)

    @cached_property
    def _sides(self) -> Float[Tensor, " N"]:
        """The largest divisor up to the square root, of every number of elements."""
        most = max(int(value) for value in self._fields[ELEMENTS])
        sides = [near_square(n)[0] for n in range(most + 1)]
        return torch.tensor(sides, dtype=torch.float64)


def near_square(elements: int) -> tuple[int, int]:
    """Returns the rows and columns of an array that is as nearly square as its elements divide.

    Args:
        elements: Of the array.

    Example:
        >>> near_square(24), near_square(0)
        ((4, 6), (0, 0))
    """
    rows = max((d for d in range(1, math.isqrt(elements) + 1) if elements % d == 0), default=0)
    return rows, elements // max(1, rows)


def _listed(name: str, choices: Choices) -> tuple[Value, ...]:
    """Choices as a tuple; one alone may stand without brackets."""
    listed = (choices,) if isinstance(choices, str | int | float) else tuple(choices)
    least = 0 if name in (ELEMENTS, "register_bytes") else 1
    for value in listed:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number != (name != "dataflow") or (number and not least <= float(value) < math.inf):
            expected = "names" if name == "dataflow" else f"numbers of at least {least}"
            raise UsageError(f"`{name}` of a chip is {value!r}.", f"Give {expected}.")
    return listed
