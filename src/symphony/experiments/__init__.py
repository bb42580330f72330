"""What chapters compare, over models, conditions and seeds, and what is kept of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["dynamics", "refining"],
    submod_attrs={
        "artifacts": [
            "keep_experiment",
            "keep_trial",
            "shipped_evaluation",
            "shipped_experiment",
            "shipped_folder",
            "shipped_search",
            "shipped_trial",
        ],
        "codes": ["accuracy_by_position", "code_measures"],
        "conditions": ["condition_table"],
        "controllability": ["Controlled", "random_plans", "requested_and_achieved"],
        "copying": ["against_real", "copying_by_step"],
        "drawing": ["choose_drawing"],
        "features": ["piece_features"],
        "replication": ["report_table"],
        "rolls": ["filling", "form_and_key", "pulse_and_scale", "songs_of"],
        "scores": ["encoder_of", "evaluate", "evaluation_rows"],
        "seeds": ["train_arms", "train_once"],
        "walks": ["compare_walks"],
    },
)
