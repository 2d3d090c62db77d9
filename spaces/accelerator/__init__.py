"""Spaces of accelerators: chips that networks run on."""
