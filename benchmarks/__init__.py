"""Speed and memory as ratios, each measured in one run beside a peer or a limit."""
