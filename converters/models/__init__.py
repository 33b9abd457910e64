"""PyTorch definitions of the detectors and embedders; parameter names equal upstream's."""
