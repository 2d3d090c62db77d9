import json
import math

import pytest
import torch
import torch.nn.functional as F

from vitruvius.core.errors import UnknownNameError
from vitruvius.encoders.layout import RELATIONS
from vitruvius.generators import Source, new_denoiser
from vitruvius.generators.denoiser import (
    _GELU,
    GraphDenoiser,
    _Block,
    fingerprints,
    schema_of,
)
from vitruvius.generators.schedulers import MASK
from vitruvius.spaces import Space, space

SHIPPED = ["nasbench101", "nasbench201", "nas-bench-graph", "mobilenetv3"]


def lively(*spaces: Space, **options: object) -> GraphDenoiser:
    """A small denoiser whose zero-initialised parts are drawn too, so that everything matters."""
    schemas = [schema_of(space) for space in spaces]
    torch.manual_seed(0)
    denoiser = GraphDenoiser(schemas, width=16, layers=2, **options)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return denoiser.eval()


@pytest.fixture(params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> Space:
    return space(request.param)


def test_logits_of_choices_alone_are_finite(shipped: Space) -> None:
    denoiser = lively(shipped)
    x = shipped.sample(5, 0)
    x[0] = MASK
    logits = denoiser(x, torch.linspace(0, 1, 5))
    assert logits.shape == (5, *shipped.choice_mask.shape)
    assert torch.equal(logits.isfinite(), shipped.choice_mask.expand_as(logits))
    assert logits[:, ~shipped.choice_mask].eq(-torch.inf).all()


def test_rows_do_not_see_each_other(shipped: Space) -> None:
    denoiser = lively(shipped)
    x, time = shipped.sample(4, 0), torch.rand(4)
    together = denoiser(x, time)
    for i in range(4):
        torch.testing.assert_close(denoiser(x[i : i + 1], time[i : i + 1])[0], together[i])


def test_every_variable_speaks_to_every_other(shipped: Space) -> None:
    denoiser = lively(shipped)
    x = shipped.sample(1, 0)
    base = denoiser(x, torch.zeros(1))[:, :, 0]
    for v in range(0, len(shipped.variables), 5):
        other = x.clone()
        other[0, v] = MASK
        assert ((denoiser(other, torch.zeros(1))[:, :, 0] - base).abs() > 1e-7).all()


def test_time_and_conditions_matter(cells: Space) -> None:
    denoiser = lively(cells, conditions=["a", "b"])
    x, time = cells.sample(2, 0), torch.full((2,), 0.5)
    absent = denoiser(x, time)
    assert torch.equal(denoiser(x, time, torch.full((2, 2), math.nan)), absent)
    assert not torch.allclose(denoiser(x, time + 0.2), absent)
    for scores in ([0.0, math.nan], [math.nan, 0.0], [0.0, 0.0], [2.0, 0.0]):
        assert not torch.allclose(denoiser(x, time, torch.tensor([scores] * 2)), absent)
    one, two = (denoiser(x, time, torch.tensor([[s, math.nan]] * 2)) for s in (1.0, 2.0))
    assert not torch.allclose(one, two)


def test_gradients_of_absent_conditions_are_numbers(cells: Space) -> None:
    denoiser = lively(cells, conditions=["a"])
    scores = torch.tensor([[math.nan], [1.0]])
    denoiser(cells.sample(2, 0), torch.ones(2), scores).exp().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in denoiser.parameters())


def test_variables_of_one_place_share_a_token() -> None:
    graphs = space("nas-bench-graph")
    denoiser = lively(graphs)
    assert len(denoiser.get_buffer("relation_0")) == 4
    x = graphs.sample(1, 0)
    swapped = x.clone()
    swapped[0, 2] = 1 - swapped[0, 2]  # the parent of node 2
    before, after = denoiser(x, torch.zeros(1)), denoiser(swapped, torch.zeros(1))
    assert not torch.allclose(before[0, 1], after[0, 1])  # the operation of node 2


def test_one_network_serves_several_spaces() -> None:
    a, b = space("nasbench101"), space("nasbench201")
    denoiser = lively(a, b)
    for number, served in enumerate((a, b)):
        assert denoiser.space_index(served.name) == number
        logits = denoiser(served.sample(3, 0), torch.zeros(3), None, number)
        assert logits.shape == (3, *served.choice_mask.shape)


def test_unknown_spaces_are_named() -> None:
    with pytest.raises(UnknownNameError, match="nasbench201"):
        lively(space("nasbench201")).space_index("nasbench-201")


def test_configuration_is_json(shipped: Space) -> None:
    denoiser = new_denoiser([Source(shipped, shipped.sample(20, 0))], width=16, layers=1)
    config = json.loads(denoiser.to_json_string())
    again = GraphDenoiser.from_config(config)
    again.load_state_dict(denoiser.state_dict())
    x = shipped.sample(3, 0)
    assert torch.equal(again.eval()(x, torch.ones(3)), denoiser.eval()(x, torch.ones(3)))
    assert config["schemas"] == [schema_of(shipped)]


def test_normal_scores_of_conditions(cells: Space) -> None:
    knots = {"nasbench201": {"a": [0.0, 1.0, 2.0, 3.0, 4.0]}}
    denoiser = lively(cells, conditions=["a", "b"], knots=knots)
    raw = torch.tensor([2.0, 1.0, 3.0, 0.0, 4.0, 1.5])
    scores = denoiser.scores(0, {"a": raw})
    assert scores[:, 1].isnan().all()
    expected = torch.special.ndtri(torch.tensor([0.5, 0.25, 0.75, 0.003, 0.997]).double())
    torch.testing.assert_close(scores[:5, 0], expected.float())
    torch.testing.assert_close(scores[5, 0], (scores[0, 0] + scores[1, 0]) / 2)
    # Beyond the training range values stay apart, up to six deviations.
    beyond = denoiser.scores(0, {"a": torch.tensor([4.5, 5.0, 1e9])})[:, 0]
    assert scores[4, 0] < beyond[0] < beyond[1] <= beyond[2] == 6.0


def test_scores_rise_with_ties(cells: Space) -> None:
    knots = {"nasbench201": {"a": [1.0, 1.0, 1.0, 2.0, 2.0, 5.0, 5.0, 5.0]}}
    denoiser = lively(cells, conditions=["a"], knots=knots)
    scores = denoiser.scores(0, {"a": torch.tensor([0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 6.0])})
    assert scores.isfinite().all()
    assert (scores[:, 0].diff() > 0).all()


def test_no_values_at_all(cells: Space) -> None:
    with pytest.raises(ValueError, match="at least one property"):
        lively(cells, conditions=["a"]).scores(0, {})


def test_fingerprints_of_two_spaces_do_not_meet() -> None:
    """A row of one space may be the beginning of a row of another."""
    a, b = space("nasbench201"), space("nas-bench-graph")
    x = torch.tensor([[1, 1, 1, 1, 1, 1]])
    longer = torch.tensor([[1, 1, 1, 1, 1, 1, 0]])
    assert a.hashes(a.enumerate()).unique().numel() == 6466
    assert fingerprints(a, x, 0) != fingerprints(b, longer, 1)
    every = [fingerprints(s, s.enumerate(), i) for i, s in enumerate((a, b))]
    assert torch.cat(every).unique().numel() == 6466 + 26_206


def test_wanted_logits_are_those_of_all(shipped: Space) -> None:
    denoiser = lively(shipped, conditions=["params"])
    generator = torch.Generator().manual_seed(0)
    x = shipped.sample(6, 0)
    x = x.masked_fill(torch.rand(x.shape, generator=generator) < 0.5, MASK)
    wanted = torch.rand(x.shape, generator=generator).argsort(1)[:, :3]
    for conditions in (None, torch.randn(6, 1, generator=generator)):
        logits = denoiser(x, torch.full((6,), 0.5), conditions)
        some = denoiser(x, torch.full((1,), 0.5), conditions, wanted=wanted)
        expected = logits.gather(1, wanted[..., None].expand(-1, -1, logits.shape[2]))
        torch.testing.assert_close(some, expected, rtol=1e-4, atol=1e-4)


def test_gelu_is_torchs_own() -> None:
    x = torch.linspace(-9, 9, 301, dtype=torch.float64, requires_grad=True)
    ours, theirs = _GELU()(x), torch.nn.functional.gelu(x, approximate="tanh")
    torch.testing.assert_close(ours, theirs)
    gradients = (torch.autograd.grad(y.sum(), x)[0] for y in (ours, theirs))
    torch.testing.assert_close(*gradients)


def test_attention_is_torchs_own() -> None:
    block = _Block(16, 4)
    generator = torch.Generator().manual_seed(0)
    torch.nn.init.normal_(block.bias.weight, generator=generator)
    h = torch.randn(3, 5, 16, generator=generator)
    relation = torch.randint(len(RELATIONS), (5, 5), generator=generator)
    found = block(h, torch.zeros(1, 16), relation)
    qkv = (
        block.qkv(torch.nn.functional.layer_norm(h, (16,)))
        .view(3, 5, 3, 4, 4)
        .permute(2, 0, 3, 1, 4)
    )
    mixed = torch.nn.functional.scaled_dot_product_attention(
        *qkv, attn_mask=block.bias(relation).permute(2, 0, 1)
    )
    h = h + block.out(mixed.transpose(1, 2).reshape(3, 5, 16))
    torch.testing.assert_close(found, h + block.mlp(torch.nn.functional.layer_norm(h, (16,))))


def test_context_modulates_a_layer_and_starts_at_nothing() -> None:
    """Adaptive layer norm: scale, shift and gate of both halves, by hand; zero at the start."""
    torch.manual_seed(0)
    block = _Block(8, 2)
    h, c = torch.randn(3, 4, 8), torch.randn(3, 8)
    relation = torch.zeros(4, 4, dtype=torch.long)
    torch.testing.assert_close(block(h, c, relation), block(h, -c, relation))
    with torch.no_grad():
        block.modulate.weight.normal_()
    parts = block.modulate(c)[:, None].chunk(6, -1)
    x = F.layer_norm(h, (8,)) * (1 + parts[0]) + parts[1]
    q, k, v = block.qkv(x).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(3, 4, 8)
    mid = h + (1 + parts[2]) * block.out(mixed)
    x = F.layer_norm(mid, (8,)) * (1 + parts[3]) + parts[4]
    expected = mid + (1 + parts[5]) * block.mlp(x)
    torch.testing.assert_close(block(h, c, relation), expected, atol=1e-5, rtol=1e-5)
