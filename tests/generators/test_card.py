from vitruvius.generators.card import model_card

DETAILS = {
    "spaces": ["cells", "nets"],
    "process": "absorbing",
    "conditions": ["params"],
    "steps": 9000,
    "seed": 4,
    "training_architectures": {"cells": 3233, "nets": 100_000},
    "tail_architectures": {"nets": 98_765},
    "final_loss": 1.23456,
    "cpu_seconds": 1234,
    "parameters": 244_578,
}


def test_cards_say_what_the_training_recorded() -> None:
    card = model_card(DETAILS)
    for said in (
        "# Graph diffusion for cells, nets\n",
        "244,578 parameters",
        "9,000 steps with seed 4",
        "1,234 CPU seconds",
        "1.2346 nats",
        "- cells: 3,233 architectures\n",
        "- nets: 100,000 architectures and 98,765 drawn to reach the tails\n",
    ):
        assert said in card


def test_cards_start_with_metadata_for_the_hub() -> None:
    _, metadata, text = model_card(DETAILS).split("---\n", 2)
    assert "license: apache-2.0" in metadata
    assert text.startswith("\n# ")


def test_no_conditions_are_none() -> None:
    assert "Conditions: none" in model_card(DETAILS | {"conditions": []})
