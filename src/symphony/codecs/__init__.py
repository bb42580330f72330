"""Between songs and arrays: events, steps, rolls and ABC characters. Explained in chapter 1."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "events": ["EventCodec"],
        "steps": ["StepCodec"],
        "windows": ["join_windows", "song_windows", "window_sixteenths"],
        "conditions": ["ConditionCodec", "ConditionRows"],
        "constraints": ["LogitsProcessor", "NoteOffConstraint"],
        "elements": ["distort", "distorted", "estimate_tempo", "to_elements", "with_lengths"],
        "forms": ["correlated_noise", "form_noise", "parse_form", "section_noise"],
        "plans": ["PRESETS", "Plan", "scale_histogram"],
        "rolls": [
            "PITCHES",
            "RollCodec",
            "check_drop",
            "drop_notes",
            "facade_of",
            "merge_repeated",
            "overlap_add",
            "split_repeated",
            "tile_starts",
            "to_bipolar",
        ],
        "keys": [
            "key_profile",
            "key_profiles",
            "estimate_key",
            "in_c",
            "parse_key",
            "pitch_class_histogram",
        ],
        "abc": ["AbcCodec", "bar_lengths", "readable"],
        "melody": ["MelodyCodec"],
    },
)
