from .methods.design import initial_design as initial_design
