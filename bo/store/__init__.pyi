from .config import RunConfig as RunConfig, SourceConfig as SourceConfig
from .log import Entry as Entry, TrialLog as TrialLog
from .run import Run as Run, list_runs as list_runs
