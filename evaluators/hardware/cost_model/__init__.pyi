from .chips import ChipBatch as ChipBatch
from .cost import Cost as Cost, cost_of as cost_of
from .dataflows import DATAFLOWS as DATAFLOWS, Dataflow as Dataflow
from .layer_batch import LayerBatch as LayerBatch
from .tables import (
    AREAS as AREAS,
    ENERGIES as ENERGIES,
    AreaTable as AreaTable,
    EnergyTable as EnergyTable,
)
