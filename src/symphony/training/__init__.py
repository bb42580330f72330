"""Recipes, the loop, weights and cards. Explained in chapter 2."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["loop", "adversarial"],
    submod_attrs={
        "recipes": ["Recipe", "RecipeError", "recipe"],
        "gan_recipes": ["GanRecipe"],
        "gan_composing": ["ComposeError", "TrainedGan", "facade_of"],
        "gan_checkpoint": ["load_film"],
        "rolls": ["EncodedRolls", "encode_rolls"],
        "encoded": ["EncodedCorpus", "encode_corpus"],
        "measure": ["held_out_loss"],
        "checkpoint": ["CheckpointError", "Trained", "load_model", "load_snapshots", "shipped"],
        "baselines": ["baseline", "load_any"],
        "run": ["train_recipe"],
    },
)
