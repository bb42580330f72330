"""Between songs and arrays: events, steps, rolls and ABC characters. Explained in chapter 1."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "events": ["EventCodec"],
        "steps": ["StepCodec"],
        "conditions": ["ConditionCodec"],
        "grammar": ["Grammar"],
        "plans": ["PRESETS", "Plan", "PlanError", "key_histogram"],
        "rolls": ["RollCodec", "to_signs", "with_breaths", "without_breaths"],
        "keys": ["estimate_key", "parse_key", "pitch_class_histogram"],
        "abc": ["AbcCodec"],
        "build": ["codec_from_dict"],
    },
)
