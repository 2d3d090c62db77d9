from .config import RunConfig as RunConfig, SourceConfig as SourceConfig
from .listing import RunState as RunState, list_runs as list_runs, state_of as state_of
from .log import Entry as Entry, TrialLog as TrialLog
from .run import Run as Run
