"""Conversion: everything becomes a float TFLite file, that one becomes int8, and both become ONNX."""
