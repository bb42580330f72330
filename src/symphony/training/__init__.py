"""The engine: one loop for everything that learns. It knows no system. Explained in chapter 2."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["loop"],
    submod_attrs={
        "data": ["Data"],
        "card": ["Card"],
        "run": ["Run", "load_samples"],
        "system": [
            *("Evaluation", "Led", "Logs", "Moment", "Nets"),
            *("Optimizers", "Recipe", "System", "Trained"),
        ],
    },
)
