from .raw_data import (
    RawGraph as RawGraph,
    RawImages as RawImages,
    is_raw as is_raw,
    load_raw as load_raw,
)
