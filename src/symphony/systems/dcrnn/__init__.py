"""DCRNN: a plan that is repeated, and a critic that hears its form (chapter 6)."""
