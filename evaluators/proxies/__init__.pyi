from .evaluator import ProxyEvaluator as ProxyEvaluator, proxies_of as proxies_of
from .probe import Batch as Batch, Probe as Probe, ProxyValue as ProxyValue
from .ranks import rank_sum as rank_sum
from .resolver import PROXIES as PROXIES, proxies as proxies, proxy as proxy
