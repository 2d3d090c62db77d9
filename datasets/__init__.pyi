from .raw_data import (
    RawGraph as RawGraph,
)
from .raw_data import (
    RawImages as RawImages,
)
from .raw_data import (
    is_raw as is_raw,
)
from .raw_data import (
    load_raw as load_raw,
)
