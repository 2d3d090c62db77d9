from .pool_model import PoolModel as PoolModel
