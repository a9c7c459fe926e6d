"""Save and load a trained classifier; ONNX export. Importing this imports no torch."""
