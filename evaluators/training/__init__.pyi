from .evaluator import TrainingEvaluator as TrainingEvaluator
from .loop import Callback as Callback, Trained as Trained, TrainingError as TrainingError
from .recipe import Recipe as Recipe
