"""Pix2Pix: filling the holes of a roll (chapter 9)."""
