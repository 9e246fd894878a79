import numpy as np
import pytest

from physix.policies.nano.packing import pack, unpack

RANDOM = np.random.default_rng(4)


def test_a_packed_matrix_is_within_half_a_code_of_what_it_was() -> None:
    matrix = RANDOM.normal(size=(6, 96)).astype(np.float16)
    matrix[0, :32] = 0.0
    packed = pack({"w": matrix})
    assert sum(one.nbytes for one in packed.values()) == 6 * 96 // 2 + 6 * 3 * 2
    found = unpack(packed)["w"]
    assert found.shape == matrix.shape
    scale = np.abs(matrix.astype(float)).reshape(6, 3, 32).max(axis=-1) / 7
    off = np.abs(found - matrix.astype(float)).reshape(6, 3, 32)
    assert (off <= 0.5 * scale[..., None] * 1.02).all()  # a scale is itself rounded to half precision
    assert not found[0, :32].any()


def test_vectors_and_matrices_of_odd_width_stay_as_they_are() -> None:
    given = {"norm": np.ones(32), "odd": RANDOM.normal(size=(3, 33))}
    found = unpack(pack(given))
    for name, value in given.items():
        np.testing.assert_array_equal(found[name], value)


def test_codes_without_scales_are_refused() -> None:
    packed = pack({"w": np.ones((1, 32))})
    with pytest.raises(KeyError):
        unpack({"w:codes": packed["w:codes"]})
