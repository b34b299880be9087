//! Loads ONNX models: validates, builds with tract, scores in batches.
