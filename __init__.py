"""Vitruvius: generative design of neural-network architectures."""
