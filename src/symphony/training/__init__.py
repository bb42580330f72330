"""Recipes, the loop, weights and cards. Explained in chapter 2."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["loop"],
    submod_attrs={
        "recipes": ["Recipe", "RecipeError", "recipe"],
        "encoded": ["EncodedCorpus", "encode_corpus"],
        "measure": ["held_out_loss"],
        "checkpoint": ["CheckpointError", "Trained", "load_model", "load_snapshots", "shipped"],
        "baselines": ["baseline", "load_any"],
        "run": ["train_recipe"],
    },
)
