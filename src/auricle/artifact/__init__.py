"""Save and load a trained classifier; ONNX export."""
