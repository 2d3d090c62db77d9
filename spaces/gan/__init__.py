"""Spaces of generative adversarial networks."""
