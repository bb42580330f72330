"""Conditional Char-RNN: a Char-RNN that plays under a condition (chapter 3)."""
