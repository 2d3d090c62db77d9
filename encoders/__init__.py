"""Encoders of architectures (layouts, features, learned embeddings) and of tasks."""

from __future__ import annotations

from .encoder import Encoder
from .feature_sets import FeatureSets
from .features import Counts, OneHot, one_hot, statistics
from .layout import Layout, Vocabulary
from .learned import LearnedEncoder
from .message_graph import MessageGraph
from .path import PathEncoding
from .resolver import encoder, encoder_names
from .tasks.graph_task import describe_graph
from .tasks.image_task import ImageSetEncoder, describe_images, train_image_encoder
from .tasks.probes import describe_probes, probe_design
from .tasks.task_description import TaskDescription, distances
from .weisfeiler_lehman import WeisfeilerLehman

__all__ = [
    "Counts",
    "Encoder",
    "FeatureSets",
    "ImageSetEncoder",
    "Layout",
    "LearnedEncoder",
    "MessageGraph",
    "OneHot",
    "PathEncoding",
    "TaskDescription",
    "Vocabulary",
    "WeisfeilerLehman",
    "describe_graph",
    "describe_images",
    "describe_probes",
    "distances",
    "encoder",
    "encoder_names",
    "one_hot",
    "probe_design",
    "statistics",
    "train_image_encoder",
]
