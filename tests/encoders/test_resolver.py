from functools import cache

import pytest
import torch

from vitruvius.core.errors import UnknownNameError
from vitruvius.encoders import Encoder, encoder, encoder_names
from vitruvius.encoders.learned import LearnedEncoder
from vitruvius.spaces import space

SPACES = ("nasbench201", "nasbench101", "nas-bench-graph", "mobilenetv3")


@cache
def fitted(name: str, where: str) -> Encoder | None:
    made = encoder(name, space(where))
    if isinstance(made, LearnedEncoder):
        made.steps = 3
    return made if made is None else made.fit(space(where).sample(500, 0))


@pytest.mark.parametrize("where", SPACES)
@pytest.mark.parametrize("name", encoder_names())
def test_every_encoder_keeps_the_contract(name: str, where: str) -> None:
    """One row an architecture, finite, the same for isomorphic ones and in any batch."""
    target, each = space(where), fitted(name, where)
    if each is None:
        assert name in ("path", "computed path", "subset paths")
        return
    assert isinstance(each, Encoder)
    x = target.sample(40, 1)
    code = each.transform(x)
    assert code.dtype == torch.float32
    assert code.shape[0] == 40
    assert code.shape[1] > 0
    assert bool(code.isfinite().all())
    assert float(code.std(0).max()) > 0
    torch.testing.assert_close(each.transform(target.shuffle(x, 2)), code, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(each.transform(x[7:9]), code[7:9], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", encoder_names())
def test_the_same_seed_gives_the_same(name: str) -> None:
    cells = space("nasbench201")
    codes = []
    for _ in range(2):
        made = encoder(name, cells, seed=3)
        assert made is not None
        if isinstance(made, LearnedEncoder):
            made.steps = 3
        codes.append(made.fit(cells.sample(200, 0)).transform(cells.sample(10, 1)))
    assert torch.equal(*codes)


def test_unknown_name_lists_the_others() -> None:
    with pytest.raises(UnknownNameError, match="transformer"):
        encoder("gcn", space("nasbench201"))
