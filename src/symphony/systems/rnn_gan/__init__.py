"""RNN-GAN: two LSTMs against each other (chapter 4)."""
