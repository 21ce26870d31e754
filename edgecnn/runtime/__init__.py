"""Opened artefacts: LiteRT for .tflite files, ONNX Runtime for .onnx files, behind one protocol."""
