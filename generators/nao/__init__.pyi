from .generator import NAO as NAO
from .generator import Tally as Tally
from .network import NAONetwork as NAONetwork
from .recipe import train_nao as train_nao
