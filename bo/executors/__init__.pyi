from .executor import (
    Executor as Executor,
    Finished as Finished,
    Report as Report,
    Task as Task,
    attempt as attempt,
    failure as failure,
)
from .processes import ProcessExecutor as ProcessExecutor
from .resolver import executor as executor
from .serial import SerialExecutor as SerialExecutor
