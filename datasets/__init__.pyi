from .checks import check as check
from .labelled import Labelled as Labelled
from .raw_data import (
    RawData as RawData,
    RawGraph as RawGraph,
    RawGraphs as RawGraphs,
    RawImages as RawImages,
    RawSeries as RawSeries,
    data_options as data_options,
    is_raw as is_raw,
    load_raw as load_raw,
)
from .splits import Splits as Splits, split as split
