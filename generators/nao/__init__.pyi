from .generator import NAO as NAO, Tally as Tally
from .network import NAONetwork as NAONetwork
from .recipe import train_nao as train_nao
