"""Layer 2: spec, predictor and ONNX engine: a trained classifier at work, without torch."""
