from .executor import (
    Executor as Executor,
)
from .executor import (
    Finished as Finished,
)
from .executor import (
    Report as Report,
)
from .executor import (
    Task as Task,
)
from .executor import (
    attempt as attempt,
)
from .executor import (
    failure as failure,
)
from .processes import ProcessExecutor as ProcessExecutor
from .resolver import executor as executor
from .serial import SerialExecutor as SerialExecutor
