"""The compiled training step and all of its state: a training can stop after any step and go on as if it had not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn import _tf
from edgecnn.augment import seed_of
from edgecnn.nets.recipe import Optimizer, rates
from edgecnn.preprocess import to_tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.data import Split
    from edgecnn.nets.recipe import Recipe
    from edgecnn.spec import ImageSpec

_DROPOUT, _WEIGHTS = 3, 4
"""Keep these chances apart from each other and from those of `augment`."""
_AT_ONCE = 250
"""Pictures that are evaluated in one call."""


def seed_weights(model: Any, seed: int) -> None:
    """Draw all kernels anew, so that they depend on the seed alone and no global generator is touched.

    Args:
        model: A built `tf_keras.Model`; changed.
        seed: 0..2147483647.
    """
    layers = [layer for layer in model.layers if getattr(layer, "kernel_initializer", None) is not None]
    for number, layer in enumerate(layers):
        config = layer.kernel_initializer.get_config()
        if "seed" not in config:
            continue
        config["seed"] = int(seed_of(seed, _WEIGHTS, number).numpy()[0])
        initializer = type(layer.kernel_initializer).from_config(config)
        layer.kernel.assign(initializer(layer.kernel.shape, layer.kernel.dtype))


def logits(model: Any, split: Split, image: ImageSpec) -> NDArray[np.float32]:
    """What a model answers to all pictures of a split.

    Args:
        model: A `tf_keras.Model` that ends in logits.
        split: The pictures; they are loaded some hundreds at a time.
        image: The network's picture.

    Returns:
        float32 [n, classes].
    """
    return _answers(_inference(model), split, image)


def _inference(model: Any) -> Any:
    tf = _tf.tensorflow()
    shape = tf.TensorSpec((None, *model.input_shape[1:]))
    function = tf.function(lambda tensor: model(tensor, training=False), input_signature=[shape], autograph=False)
    return function.get_concrete_function()


def _answers(infer: Any, split: Split, image: ImageSpec) -> NDArray[np.float32]:
    tf = _tf.tensorflow()
    parts = []
    for first in range(0, len(split), _AT_ONCE):
        indices = np.arange(first, min(first + _AT_ONCE, len(split)))
        parts.append(infer(tf.constant(to_tensor(split.pixels(indices, image), image))).numpy())
    return np.concatenate(parts)


def cross_entropy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Mean cross-entropy of softmax(logits) in nats.

    Args:
        logits: float32 [n, classes], finite, n > 0.
        labels: int64 [n].
    """
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    return float((np.log(np.exp(wide).sum(axis=1)) - wide[np.arange(len(labels)), labels]).mean())


class Loop:
    """A model with its optimizer and the running totals of the epoch.

    Args:
        model: A `tf_keras.Model` that ends in logits; changed by `step`.
        recipe: Optimizer, rate and the rest.
        steps: Steps of the whole training.
        seed: Of the dropout.
    """

    def __init__(self, model: Any, recipe: Recipe, *, steps: int, seed: int) -> None:
        tf, keras = _tf.tensorflow(), _tf.keras()
        self.model = model
        make = {Optimizer.ADAM: keras.optimizers.Adam, Optimizer.RMSPROP: keras.optimizers.RMSprop}
        self._optimizer = make[recipe.optimizer](recipe.rate)
        self._twin = _without_hidden_state(model, self._optimizer.iterations, seed)
        self._optimizer.build(self._twin.trainable_variables)
        self._rates = rates(recipe, steps)
        self._totals = tf.Variable(np.zeros(3), dtype=tf.float64, trainable=False)  # loss, right answers, pictures
        self._recipe = recipe
        self._step = self._compile()
        self._infer = _inference(self._twin)

    def _compile(self) -> Any:
        tf = _tf.tensorflow()
        twin, optimizer, smoothing = self._twin, self._optimizer, self._recipe.smoothing
        all_rates = tf.constant(self._rates)

        def step(images: Any, labels: Any) -> None:
            optimizer.learning_rate.assign(all_rates[optimizer.iterations])
            with tf.GradientTape() as tape:
                logits = twin(images, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
                if smoothing:
                    even = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)
                    losses = (1 - smoothing) * losses + smoothing * even
                loss = tf.add_n([tf.reduce_mean(losses), *twin.losses])
            gradients = tape.gradient(loss, twin.trainable_variables)
            optimizer.apply_gradients(zip(gradients, twin.trainable_variables, strict=True))
            right = tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1) == labels, tf.float64))
            count = tf.cast(tf.shape(labels)[0], tf.float64)
            self._totals.assign_add([tf.cast(loss, tf.float64) * count, right, count])

        shape = (None, *self.model.input_shape[1:])
        signature = [tf.TensorSpec(shape), tf.TensorSpec([None], tf.int64)]
        return tf.function(step, input_signature=signature, autograph=False)

    def step(self, images: Any, labels: Any) -> None:
        """Learn from one batch: float32 [n, height, width, channels] and int64 [n]."""
        self._step(images, labels)

    @property
    def done(self) -> int:
        """Steps that are done."""
        return int(self._optimizer.iterations.numpy())

    @property
    def rate(self) -> float:
        """The learning rate of the last step."""
        return float(self._rates[max(0, self.done - 1)])

    def totals(self) -> tuple[float, float]:
        """Mean loss and accuracy of the epoch so far; 0, 0 before its first step."""
        loss, right, count = self._totals.numpy()
        return (float(loss / count), float(right / count)) if count else (0.0, 0.0)

    def start_epoch(self) -> None:
        """Forget the totals."""
        self._totals.assign(np.zeros(3))

    def weights(self) -> list[NDArray[Any]]:
        """Copies of the model's weights, in the order of `model.get_weights()`."""
        return [np.array(weight) for weight in self._twin.get_weights()]

    def logits(self, split: Split, image: ImageSpec) -> NDArray[np.float32]:
        """What the model says now, see the function `logits`."""
        return _answers(self._infer, split, image)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that changes while training, by name."""
        state = {f"weight/{i}": w for i, w in enumerate(self.weights())}
        state |= {f"optimizer/{i}": np.array(v.numpy()) for i, v in enumerate(self._optimizer.variables)}
        return state | {"totals": self._totals.numpy()}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Put back what `state` gave.

        Raises:
            KeyError: Something is missing.
            ValueError: A shape is another one.
        """
        variables = self._optimizer.variables
        values = [state[f"optimizer/{i}"] for i in range(len(variables))]
        self._twin.set_weights([state[f"weight/{i}"] for i in range(len(self._twin.weights))])
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self._totals.assign(state["totals"])

    @contextmanager
    def rounding(self) -> Iterator[None]:
        """Inside of it the steps may use bfloat16, when the recipe says so."""
        options = _tf.tensorflow().config.optimizer
        name = "auto_mixed_precision_onednn_bfloat16"
        before = options.get_experimental_options().get(name, False)
        options.set_experimental_options({name: self._recipe.bfloat16})
        try:
            yield
        finally:
            options.set_experimental_options({name: before})


def _without_hidden_state(model: Any, step: Any, seed: int) -> Any:
    """A model with the same weights whose dropout draws from (seed, layer, step), not from a generator that goes on.

    Keras' own dropout keeps a state that cannot be stored; with this one an interrupted training resumes exactly. A
    model without dropout comes back itself.
    """
    tf, keras = _tf.tensorflow(), _tf.keras()
    if not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers):
        return model

    class StatelessDropout(keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, rate: float, number: int, name: str) -> None:
            super().__init__(name=name)
            self._rate, self._number = rate, number

        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
        def call(self, inputs: Any, training: bool = False) -> Any:
            if not training:
                return inputs
            # The closure, not an attribute: Keras would take the step for a weight of this layer.
            chance = seed_of(seed, _DROPOUT + 16 * self._number, step)
            return tf.nn.experimental.stateless_dropout(inputs, self._rate, seed=chance)

    numbers = {layer.name: number for number, layer in enumerate(model.layers)}

    def clone(layer: Any) -> Any:
        if isinstance(layer, keras.layers.Dropout):
            return StatelessDropout(layer.rate, numbers[layer.name], layer.name)
        return type(layer).from_config(layer.get_config())

    twin = keras.models.clone_model(model, clone_function=clone)
    twin.set_weights(model.get_weights())
    return twin
