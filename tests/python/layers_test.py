# SPDX-License-Identifier: Apache-2.0
"""The item table as a layer of PyTorch and of Keras: its rows are the vectors, raw ids find them, training moves what it may."""
import importlib.util
import os
import unittest

import numpy

import penchant
import shop

os.environ.setdefault("KERAS_BACKEND", "jax")


def needs(library):
    """Where cmake/setup.sh has installed it, it may not be missing; PyTorch is nowhere so."""
    found = importlib.util.find_spec(library) is not None
    if not found and library != "torch" and os.environ.get("PENCHANT_STORES") == "1":
        raise AssertionError(f"{library} is not installed")
    return unittest.skipUnless(found, f"{library} is not installed")


class Rows(shop.Case):
    def test_raw_ids(self):
        model = shop.model()
        names = model.item_ids.to_pylist()
        rows = model.item_rows([names[5], names[0], names[5]])
        self.assertEqual(([5, 0, 5], numpy.int64), (rows.tolist(), rows.dtype))
        self.assertEqual([7], model.item_rows(names[7]).tolist())
        self.assertEqual(list(range(len(names))), model.item_rows(model.item_ids).tolist())
        self.assertEqual([], model.item_rows([]).tolist())

    def test_unknown_ids(self):
        model = shop.model()
        known = model.item_ids[3].as_py()
        self.assert_error("item_rows: item 'never', element 1, is not in the data set; padding=True makes it row 0",
                          lambda: model.item_rows([known, "never"]))
        self.assertEqual([4, 0], model.item_rows([known, "never"], padding=True).tolist())


class Layer:
    """What both libraries must hold; forward(layer, rows) and weights(layer) are NumPy."""

    def test_rows_are_the_vectors(self):
        model = shop.model()
        for padding in (False, True):
            layer = self.layer(model, padding=padding)
            rows = model.item_rows([model.item_ids[i].as_py() for i in (9, 0, 9, 87)], padding=padding)
            numpy.testing.assert_array_equal(model.item_vectors[[9, 0, 9, 87]], self.forward(layer, rows))
            numpy.testing.assert_array_equal(model.item_vectors, self.weights(layer)[int(padding):])

    def test_padding_is_a_row_of_zeros(self):
        model = shop.model()
        layer = self.layer(model, padding=True)
        self.assertEqual((model.num_items + 1, model.item_vectors.shape[1]), self.weights(layer).shape)
        rows = model.item_rows(["never", model.item_ids[0].as_py()], padding=True)
        numpy.testing.assert_array_equal([numpy.zeros_like(model.item_vectors[0]), model.item_vectors[0]], self.forward(layer, rows))

    def test_frozen_unless_asked(self):
        self.assertFalse(self.trains(self.layer(shop.model())))
        self.assertTrue(self.trains(self.trainable(shop.model())))

    def test_training_moves_the_rows_used_and_no_others(self):
        model = shop.model()
        before = model.item_vectors.copy()
        layer = self.trainable(model)
        self.step(layer, [2, 5, 5])
        moved = (self.weights(layer) != before).any(axis=1)
        self.assertEqual([2, 5], numpy.flatnonzero(moved).tolist())
        # The loss is the sum of squares: one step of 0.1 takes 0.1 * 2 * w for each use.
        numpy.testing.assert_allclose(self.weights(layer)[[2, 5]], before[[2, 5]] * [[0.8], [0.6]], rtol=1e-5)
        numpy.testing.assert_array_equal(before, model.item_vectors)  # a copy


@needs("torch")
class Torch(Layer, shop.Case):
    def layer(self, model, **options):
        return model.to_torch(**options)

    def trainable(self, model, **options):
        return model.to_torch(freeze=False, **options)

    def trains(self, layer):
        return layer.weight.requires_grad

    def forward(self, layer, rows):
        import torch

        return layer(torch.from_numpy(rows)).detach().numpy()

    def weights(self, layer):
        return layer.weight.detach().numpy()

    def step(self, layer, rows):
        import torch

        optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
        layer(torch.tensor(rows)).square().sum().backward()
        optimiser.step()

    def test_padding_has_no_gradient(self):
        layer = self.trainable(shop.model(), padding=True)
        self.assertEqual(0, layer.padding_idx)
        self.step(layer, [0, 3])
        self.assertEqual(0, numpy.abs(self.weights(layer)[0]).sum())

    def test_vectors_by_dlpack_are_no_copy(self):
        import torch

        vectors = shop.model().item_vectors
        taken = torch.from_dlpack(vectors)
        self.assertEqual((vectors.ctypes.data, vectors.shape), (taken.data_ptr(), tuple(taken.shape)))
        numpy.testing.assert_array_equal(vectors, taken.numpy())


@needs("keras")
class Keras(Layer, shop.Case):
    def layer(self, model, **options):
        return model.to_keras(**options)

    def trainable(self, model, **options):
        return model.to_keras(trainable=True, **options)

    def trains(self, layer):
        return bool(layer.trainable_weights)

    def forward(self, layer, rows):
        import keras

        return keras.ops.convert_to_numpy(layer(rows))

    def weights(self, layer):
        return layer.get_weights()[0]

    def step(self, layer, rows):
        import keras

        network = keras.Sequential([keras.Input((1,), dtype="int32"), layer])
        network.compile(keras.optimizers.SGD(0.1), lambda wanted, got: keras.ops.sum(keras.ops.square(got)))
        network.train_on_batch(numpy.array(rows)[:, None], numpy.zeros((len(rows), 1)))

    def test_padding_is_masked(self):
        layer = self.layer(shop.model(), padding=True)
        mask = numpy.asarray(layer.compute_mask(numpy.array([[4, 0, 0]])))
        self.assertEqual([[True, False, False]], mask.tolist())
        self.assertIsNone(self.layer(shop.model()).compute_mask(numpy.array([[4, 0]])))

    def test_the_mean_of_a_history_leaves_padding_out(self):
        import keras

        model = shop.model()
        rows = model.item_rows([model.item_ids[4].as_py(), model.item_ids[8].as_py(), "never"], padding=True)
        history = keras.Sequential([keras.Input((3,), dtype="int32"), self.layer(model, padding=True),
                                    keras.layers.GlobalAveragePooling1D()])
        numpy.testing.assert_allclose(model.item_vectors[[4, 8]].mean(axis=0), numpy.asarray(history(rows[None]))[0], rtol=1e-5)


class Shared(shop.Case):
    def test_numpy_takes_the_vectors_without_a_copy(self):
        vectors = shop.model().item_vectors
        taken = numpy.from_dlpack(vectors)
        self.assertEqual(vectors.ctypes.data, taken.ctypes.data)
        self.assertFalse(taken.flags.writeable)


if __name__ == "__main__":
    unittest.main()
