"""edgecnn: from a Keras CNN to proven int8 TFLite and ONNX on a Raspberry-Pi-class board."""

__version__ = "0.1.0"
