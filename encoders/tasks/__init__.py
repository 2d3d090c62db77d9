"""Descriptions of data sets, by which tasks are told to be alike."""

from __future__ import annotations

from .graph_task import describe_graph
from .image_task import ImageSetEncoder, describe_images, train_image_encoder
from .probes import describe_probes, probe_design
from .task_description import TaskDescription, distances

__all__ = [
    "ImageSetEncoder",
    "TaskDescription",
    "describe_graph",
    "describe_images",
    "describe_probes",
    "distances",
    "probe_design",
    "train_image_encoder",
]
