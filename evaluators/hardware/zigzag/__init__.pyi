from .evaluator import ZigZagEvaluator as ZigZagEvaluator
from .reference import ZigZag as ZigZag, ZigZagCost as ZigZagCost
