from .encoder import Encoder as Encoder
from .feature_sets import FeatureSets as FeatureSets
from .features import (
    Counts as Counts,
    OneHot as OneHot,
    one_hot as one_hot,
    statistics as statistics,
)
from .layout import Layout as Layout, Vocabulary as Vocabulary
from .learned import LearnedEncoder as LearnedEncoder
from .message_graph import MessageGraph as MessageGraph
from .path import PathEncoding as PathEncoding
from .resolver import encoder as encoder, encoder_names as encoder_names
from .tasks.graph_task import describe_graph as describe_graph
from .tasks.image_task import (
    ImageSetEncoder as ImageSetEncoder,
    describe_images as describe_images,
    train_image_encoder as train_image_encoder,
)
from .tasks.probes import describe_probes as describe_probes, probe_design as probe_design
from .tasks.task_description import TaskDescription as TaskDescription, distances as distances
from .view import View as View, views_of as views_of
from .weisfeiler_lehman import WeisfeilerLehman as WeisfeilerLehman
