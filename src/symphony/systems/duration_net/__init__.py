"""The Duration Net: notes with distorted durations in, the score's durations out (chapter 11)."""
