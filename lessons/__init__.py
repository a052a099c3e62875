"""A step-by-step PyTorch course on convolutional networks. Start with the README, then ``lessons run 1``."""
