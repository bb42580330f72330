"""Measuring what was composed: originality first of all. Explained in chapters 1 and 2."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bleu_score": ["bleu", "ngram_precisions", "sequence_bleu"],
        "components": ["Components", "principal_components"],
        "confidence": ["UNDEFINED", "ConfidenceInterval", "bootstrap", "spearman"],
        "diversity": ["distinct", "pairwise_diversity"],
        "frechet": ["frechet_distance"],
        "likelihood": ["PieceLosses"],
        "musical": [
            "empty_beat_rate",
            "groove_consistency",
            "notes_per_second",
            "pitch_class_entropy",
            "polyphony",
            "scale_consistency",
        ],
        "overlap": ["features", "overlap_of"],
        "structure": ["structure_indicator"],
        "two_sample": ["two_sample_logistic"],
        "index": ["Match", "OriginalityIndex"],
        "lcs": ["whole_lcs", "windowed_lcs"],
        "originality": ["Originality", "OriginalityReport"],
        "rhythm": ["pulse_clarity"],
        "rolls": [
            "added_f1",
            "chord_counts",
            "jaccard_distances",
            "note_f1",
            "note_onsets",
            "roll_metrics",
            "roll_pitch_classes",
            "two_sample_1nn",
        ],
    },
)
