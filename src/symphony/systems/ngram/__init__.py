"""N-gram models: the counting baselines, answering like any other system (chapter 1)."""
