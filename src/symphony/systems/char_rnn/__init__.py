"""Char-RNN: an LSTM that predicts the next symbol (chapter 2)."""
