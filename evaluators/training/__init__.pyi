from .evaluator import TrainingEvaluator as TrainingEvaluator
from .gan_evaluator import GANEvaluator as GANEvaluator
from .gan_recipe import GANRecipe as GANRecipe
from .loop import Callback as Callback, Trained as Trained, TrainingError as TrainingError
from .on_data import OnData as OnData
from .recipe import Recipe as Recipe
