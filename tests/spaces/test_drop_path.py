import torch

from vitruvius.spaces.drop_path import DropPath


def test_examples_are_dropped_whole_and_others_scaled() -> None:
    torch.manual_seed(0)
    path = DropPath(0.25)
    out = path(torch.ones(4000, 2, 3))
    assert (out == out[:, :1, :1]).all()
    kept = out[:, 0, 0]
    torch.testing.assert_close(kept[kept > 0], torch.full((int((kept > 0).sum()),), 4 / 3))
    # The mean stays: four deviations of a mean of 4,000.
    assert abs(float(kept.mean()) - 1) < 4 * (1 / 3 / 4000) ** 0.5


def test_nothing_is_done_at_evaluation_or_without_a_probability() -> None:
    x = torch.ones(8, 1)
    assert DropPath(0.5).eval()(x) is x
    assert DropPath()(x) is x


def test_draws_are_torchs_own() -> None:
    path, x = DropPath(0.5), torch.ones(64, 1)
    torch.manual_seed(1)
    first = path(x)
    torch.manual_seed(1)
    assert torch.equal(path(x), first)
    assert not torch.equal(path(x), first)
