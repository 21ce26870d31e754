"""What a net is: a builder of an untrained network, and what is known of it without building it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from edgecnn.nets.recipe import Recipe
    from edgecnn.spec import ImageSpec


class Builder(Protocol):
    """Builds an untrained tf_keras model in the functional API that ends in logits."""

    def __call__(self, *, shape: tuple[int, int, int], classes: int) -> Any:
        """Build it.

        Args:
            shape: Height, width and channels of the input.
            classes: How many logits it gives.

        Returns:
            A `tf_keras.Model`: float32 [n, height, width, channels] to float32 [n, classes].
        """
        ...


@dataclass(frozen=True, slots=True)
class Net:
    """A builder of an untrained network.

    Attributes:
        name: Its name on the command line.
        image: The picture that it takes unless told otherwise, with the scaling of our recipe.
        classes: How many classes it has unless told otherwise.
        build: Makes the network.
        seed_recipe: The training of the tutorial that it comes from; None for a net of our own.
        recipe: Our training.
        source: The tutorial or paper that it comes from.
        parameters: How many weights it has, for `image` and `classes`.
        macs: Multiplications with accumulation for one picture, for `image` and `classes`.
        least: Least height and width in pixels that its layers allow.
    """

    name: str
    image: ImageSpec
    classes: int
    build: Builder
    seed_recipe: Recipe | None
    recipe: Recipe
    source: str
    parameters: int
    macs: int
    least: int


def count_macs(model: Any) -> int:
    """Multiplications with accumulation that a built network needs for one picture.

    Convolutions and dense layers are counted; biases, activations, pooling and batch normalization (which conversion
    folds into the convolution before it) are not.

    Args:
        model: A `tf_keras.Model` of Conv2D, Dense and layers without products.

    Returns:
        The count.
    """
    from edgecnn import _tf

    layers = _tf.keras().layers
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.DepthwiseConv2D):  # a Conv2D by inheritance, but each channel for itself
            kernel = layer.depthwise_kernel.shape
            total += _product(layer.output_shape[1:]) * kernel[0] * kernel[1]
        elif isinstance(layer, layers.Conv2D):
            total += _product(layer.output_shape[1:3]) * _product(layer.kernel.shape)
        elif isinstance(layer, layers.Dense):
            total += _product(layer.kernel.shape)
    return total


def _product(sizes: Any) -> int:
    result = 1
    for size in sizes:
        result *= int(size)
    return result
