"""Save and load a trained classifier; ONNX export. Importing this imports no torch."""

ARTIFACT_FILES = ("config.json", "model.safetensors", "README.md", "model.onnx")
