"""From a variant card to a `.tflite` file: definitions, weights, export, quantization, the artifact store."""
