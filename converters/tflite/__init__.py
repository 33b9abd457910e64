"""What a `.tflite` file really holds, read without running it."""
