"""From a PyTorch module to `.tflite` files, float32 first, then every other precision from that file."""
