"""Measuring what was composed: originality first of all. Explained in chapters 1 and 2."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "index": ["Match", "OriginalityIndex"],
        "lcs": ["whole_lcs", "windowed_lcs"],
        "originality": ["Originality", "OriginalityReport"],
        "rhythm": ["pulse_clarity"],
    },
)
