from .draws import initial_design as initial_design
