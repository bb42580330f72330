"""Conditional Char-RNN: a Char-RNN that is told what to play (chapter 3)."""
