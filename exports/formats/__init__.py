"""Formats that a model is written in, one a file."""
