from .graph_task import describe_graph as describe_graph
from .image_task import (
    ImageSetEncoder as ImageSetEncoder,
    describe_images as describe_images,
    train_image_encoder as train_image_encoder,
)
from .probes import describe_probes as describe_probes, probe_design as probe_design
from .task_description import TaskDescription as TaskDescription, distances as distances
