"""Measurements that need trained models and the evaluation: for chapters, cards, commands."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "asked": ["asked_and_achieved", "random_plans"],
        "conditions": ["condition_table"],
        "copying": ["beside_real", "copying_by_step"],
        "kept": [
            "KeptError",
            "keep_study",
            "shipped_evaluation",
            "shipped_folder",
            "shipped_study",
        ],
        "reported": ["report_table"],
        "rolls": ["filling", "form_and_key", "songs_of"],
        "seeds": ["train_arms"],
        "scores": ["EvaluationError", "evaluate", "evaluation_rows"],
    },
)
