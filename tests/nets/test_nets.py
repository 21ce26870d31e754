"""Every net has the layers of its source, and the numbers that `NETS` holds without building it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from edgecnn import _tf, nets
from edgecnn.errors import ArgumentError, ModelError
from edgecnn.nets import NETS
from edgecnn.spec import ImageSpec

OWN = (
    "conv {a} 3 same linear, norm, relu, conv {a} 3 same linear, norm, relu, pool 2 2, "
    "conv {b} 3 same linear, norm, relu, conv {b} 3 same linear, norm, relu, pool 2 2, "
    "conv {c} 3 valid linear, norm, relu, conv {c} 1 same linear, norm, relu, average, dense {classes}"
)
LAYERS = {
    "tiny": "conv 8 3 valid linear, pool 2 2, conv 8 3 valid linear, pool 2 2, flatten, dense 10",
    "conv-64-32": "conv 64 3 valid relu, conv 32 3 valid relu, flatten, dense 10",
    "conv-32-64-64": "conv 32 3 same relu, pool 2 2, conv 64 3 same relu, pool 2 2, conv 64 3 same relu, flatten, "
    "dense 64 relu, dense 10",
    "conv-32-64-128": "conv 32 3 valid relu, conv 64 3 valid relu, conv 128 3 valid relu, "
    "dropout 0.5, pool 2 2, flatten, dense 128 relu, dropout 0.5, dense 10",
    "conv-32-64-128-leaky": "conv 32 3 valid linear, leaky 0.1, conv 64 3 valid linear, leaky 0.1, "
    "conv 128 3 valid linear, leaky 0.1, dropout 0.5, pool 2 2, flatten, dense 128, leaky 0.1, dropout 0.5, dense 10",
    "alexnet-lite": "conv 32 3 valid relu, pool 3 1, conv 32 3 valid relu, pool 3 1, conv 64 3 valid relu, "
    "conv 64 3 valid relu, pool 3 2, flatten, dense 512 relu, dropout 0.3, dense 10",
    "alexnet": "conv 96 11 valid relu /4, pool 3 2, conv 256 5 valid relu, pool 3 2, conv 384 3 valid relu, "
    "conv 384 3 valid relu, conv 256 3 valid relu, pool 3 2, flatten, dense 4096 relu, dropout 0.5, "
    "dense 4096 relu, dropout 0.5, dense 1000",
    "digits": OWN.format(a=16, b=32, c=64, classes=10),
    "digits-live": OWN.format(a=24, b=48, c=96, classes=11),
}


def describe(model) -> str:
    """The layers in the words of `LAYERS`."""
    layers = _tf.keras().layers
    words = []
    for layer in model.layers[1:]:
        match layer:
            case layers.Conv2D():
                size, activation = layer.kernel_size[0], layer.activation.__name__
                stride = f" /{layer.strides[0]}" if layer.strides[0] > 1 else ""
                words.append(f"conv {layer.filters} {size} {layer.padding} {activation}{stride}")
            case layers.MaxPooling2D():
                words.append(f"pool {layer.pool_size[0]} {layer.strides[0]}")
            case layers.Dense():
                words.append(f"dense {layer.units}" + (" relu" if layer.activation.__name__ == "relu" else ""))
            case layers.Dropout():
                words.append(f"dropout {layer.rate}")
            case layers.LeakyReLU():
                words.append(f"leaky {float(layer.alpha):.1f}")
            case _:
                names = {"ReLU": "relu", "Flatten": "flatten", "BatchNormalization": "norm"}
                words.append({**names, "GlobalAveragePooling2D": "average"}[type(layer).__name__])
    return ", ".join(words)


@pytest.fixture(scope="module", params=NETS)
def built(request):
    return NETS[request.param], nets.build(request.param)


def test_layers(built):
    net, model = built
    assert describe(model) == LAYERS[net.name]


def test_numbers(built):
    net, model = built
    assert model.count_params() == net.parameters
    assert nets.count_macs(model) == net.macs


def test_ends_in_logits_of_a_functional_model(built):
    net, model = built
    last = model.layers[-1]
    assert (last.name, last.activation.__name__) == ("logits", "linear")
    assert model.input_shape == (None, *net.image.shape)
    assert model.output_shape == (None, net.classes)
    assert type(model).__name__ == "Functional"


def test_parameters_of_the_issue():
    wanted = {
        "tiny": 2_674,
        "conv-64-32": 203_434,
        "conv-32-64-64": 257_162,
        "conv-32-64-128": 2_076_554,
        "alexnet-lite": 1_676_266,
        "alexnet": 25_678_184,
        "digits": 40_346,
    }
    assert {name: NETS[name].parameters for name in wanted} == wanted


def test_macs_of_a_depthwise_convolution():
    keras = _tf.keras()
    image = keras.Input((8, 8, 4))
    model = keras.Model(image, keras.layers.DepthwiseConv2D(3)(image))
    assert nets.count_macs(model) == 6 * 6 * 4 * 9


@pytest.mark.parametrize("name", NETS)
def test_another_picture_and_another_number_of_classes(name):
    least = NETS[name].least
    model = nets.build(name, classes=3, image=ImageSpec(least, least + 5, 3))
    assert model.input_shape == (None, least, least + 5, 3)
    assert model.output_shape == (None, 3)
    sizes = [size for layer in model.layers for size in layer.output_shape if isinstance(size, int)]
    assert min(sizes) >= 1


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("shape", ["height", "width"])
def test_least_picture(name, shape):
    least = NETS[name].least
    image = ImageSpec(least - (shape == "height"), least - (shape == "width"), 1)
    with pytest.raises(ModelError, match=f"net {name}: expected a picture of at least {least}x{least} pixels, got"):
        nets.build(name, image=image)
    with pytest.raises(ValueError, match=r"Negative dimension|[Oo]ne of the dimensions|non-positive|zero"):
        model = NETS[name].build(shape=(least - 1, least - 1, 1), classes=10)
        raise ValueError("zero") if model.output_shape and 0 in _sizes(model) else AssertionError("least is too large")


def _sizes(model) -> set[int]:
    return {size for layer in model.layers[1:] for size in layer.output_shape if size is not None}


def test_alexnet_takes_195_pixels_at_least():
    assert NETS["alexnet"].least == 195


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "lenet"}, r"net: expected one of digits, .*tiny, .*alexnet, got 'lenet'"),
        ({"name": "tiny", "classes": 1}, "classes: expected a whole number from 2 to 100000, got 1"),
        ({"name": "tiny", "classes": 2.0}, "classes: .*got 2.0"),
        ({"name": "tiny", "classes": True}, "classes: .*got True"),
        ({"name": "tiny", "classes": 100_001}, "classes: .*got 100001"),
    ],
)
def test_what_cannot_be_built(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        nets.build(**arguments)


def test_the_list_needs_no_tensorflow():
    code = "import sys, edgecnn.nets as n; print(len(n.NETS), 'tensorflow' in sys.modules, 'tf_keras' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert ran.stdout.split() == [str(len(NETS)), "False", "False"]


def test_untrained_nets_give_finite_numbers(built):
    net, model = built
    answers = model(np.zeros((1, *net.image.shape), np.float32), training=False).numpy()
    assert np.isfinite(answers).all()
