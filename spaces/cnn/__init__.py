"""Convolutional spaces."""
