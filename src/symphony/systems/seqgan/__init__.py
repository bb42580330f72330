"""SeqGAN: a generator of symbols that learns from rewards (chapter 7)."""
