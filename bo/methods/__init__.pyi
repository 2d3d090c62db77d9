from .bananas import Bananas as Bananas
from .boosting import BoostingSearch as BoostingSearch
from .ctnas import CTNAS as CTNAS
from .eagan import EAGAN as EAGAN
from .evolution import RegularizedEvolution as RegularizedEvolution
from .gp_wl import WeisfeilerLehmanSearch as WeisfeilerLehmanSearch
from .local_search import LocalSearch as LocalSearch
from .nao import NAOSearch as NAOSearch
from .nsga2 import NSGA2 as NSGA2
from .pruned_space import PrunedSpace as PrunedSpace
from .random import RandomSearch as RandomSearch
from .resolver import initial_of as initial_of, method as method, names as names
from .robot import RoBoT as RoBoT
