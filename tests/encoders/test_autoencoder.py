import pytest
import torch

from vitruvius.encoders import MessageGraph
from vitruvius.encoders.autoencoder import Autoencoder, decode
from vitruvius.encoders.autoencoding import new_autoencoder, train_autoencoder
from vitruvius.encoders.schema import Schema
from vitruvius.spaces import names, space

SPACES = [*names(), "toy_recipe.yaml"]


@pytest.mark.parametrize("name", SPACES)
def test_a_schema_says_all_that_a_message_graph_reads(name: str) -> None:
    target = space(name)
    schema = Schema.from_json(Schema.of(target).to_json())
    assert schema == Schema.of(target)
    x = target.sample(5, 0)
    ours, theirs = MessageGraph(schema), MessageGraph(target)
    for a, b in zip(ours(ours.one_hot(x)), theirs(theirs.one_hot(x)), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", SPACES)
def test_whatever_is_decoded_is_valid(name: str) -> None:
    """Of an untrained network's embeddings, and of noise."""
    target = space(name)
    network = new_autoencoder(target, width=8)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        embedding = network.encode(target.sample(40, 0))
        noise = 3 * torch.randn(40, network.size, generator=generator)
        for e in (embedding, noise):
            logits = network.logits(e)
            assert bool((logits.isinf() == ~target.choice_mask).all())
            assert bool(target.is_valid(decode(target, logits)).all())


def test_embeddings_are_normalised() -> None:
    cells = space("nasbench201")
    embedding = new_autoencoder(cells, width=8).encode(cells.sample(9, 0))
    torch.testing.assert_close(embedding.square().mean(1), torch.ones(9), atol=1e-3, rtol=0)


def test_decoding_changes_nothing_that_is_valid_and_keeps_what_is_sure() -> None:
    cells = space("nasbench101")
    x = cells.sample(20, 0)
    logits = torch.nn.functional.one_hot(x, cells.choice_mask.shape[1]).float() * 9
    assert torch.equal(decode(cells, logits.masked_fill(~cells.choice_mask, -torch.inf)), x)
    # Every edge wanted: more than a cell may have; the surest are kept.
    logits = torch.zeros(1, *cells.choice_mask.shape)
    logits[0, 5:, 1] = torch.linspace(5, 1, 21)
    made = decode(cells, logits.masked_fill(~cells.choice_mask, -torch.inf))
    assert bool(cells.is_valid(made).all())
    assert bool((made[0, 5:8] == 1).all())


@pytest.mark.slow
def test_it_reconstructs_what_it_never_saw() -> None:
    target = space("nasbench201")
    rows = target.enumerate()
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    seen, held = rows[order[: len(rows) // 2]], rows[order[len(rows) // 2 :]]
    network = new_autoencoder(target, width=32)
    train_autoencoder(network, target, seen, steps=200)
    with torch.no_grad():
        again = decode(target, network.logits(network.encode(held)))
    assert float((again == held).all(1).double().mean()) > 0.97


def test_the_size_of_an_embedding_is_free() -> None:
    cells = space("nasbench201")
    network = Autoencoder(Schema.of(cells), width=8, layers=1, size=5, hidden=7)
    assert network.encode(cells.sample(2, 0)).shape == (2, 5)
