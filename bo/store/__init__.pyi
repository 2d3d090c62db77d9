from .config import RunConfig as RunConfig
from .config import SourceConfig as SourceConfig
from .log import Entry as Entry
from .log import TrialLog as TrialLog
from .run import Run as Run
from .run import list_runs as list_runs
