"""State dicts from files: read exactly, and nothing else that a file may hold."""

import pickle

import numpy as np
import pytest

import implicitbias as ib
from helpers.torch_modules import Product, connected, torch


class Harmful:
    """Runs code where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_weights_come_back(tmp_path, dtype):
    module = connected(4, 3, 2, dtype=dtype)
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    found = ib.interop.read_torch(tmp_path / "weights.pt")
    assert list(found) == ["0.weight", "1.weight", "2.weight"]
    for name, value in module.state_dict().items():
        assert found[name].dtype == np.float64
        np.testing.assert_array_equal(found[name], value.double().numpy())


def test_training_goes_on_from_a_file(tmp_path):
    module = connected(4, 3)
    path = str(tmp_path / "weights.pt")
    torch.save(module.state_dict(), path)
    network, parameters = ib.from_torch(module)
    init = ib.Initialization.from_weights(network, ib.interop.read_torch(path))
    for one, other in zip(init.parameters(), parameters, strict=True):
        np.testing.assert_array_equal(one, other)


def test_state_dicts_and_parameters_are_weights():
    module = Product(4, 2)
    network, parameters = ib.from_torch(module)
    for weights in (module.state_dict(), module.parameters(), list(module.w)):
        init = ib.Initialization.from_weights(network, weights)
        for one, other in zip(init.parameters(), parameters, strict=True):
            np.testing.assert_array_equal(one, other)


def test_tensors_without_values_are_refused():
    network = ib.DiagonalNetwork(3, 2)
    weights = [torch.ones(3), torch.ones(3, device="meta")]
    with pytest.raises(ib.InvalidInputError, match="entry 2 is a Tensor that has no values"):
        ib.Initialization.from_weights(network, weights)


def test_no_code_in_a_file_runs(tmp_path):
    trap = tmp_path / "ran"
    torch.save({"0.weight": torch.ones(2), "1.weight": Harmful(trap)}, tmp_path / "bad.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Harmful(trap)))
    for name in ("bad.pt", "plain.pt"):
        with pytest.raises(ib.InvalidInputError, match="nothing in it was run"):
            ib.interop.read_torch(tmp_path / name)
    assert not trap.exists()


def saved(value):
    return lambda path: torch.save(value, path)


def cut(path):
    torch.save(connected(4, 3).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize(
    ("write", "text"),
    [
        (lambda path: None, "is no file; expected one with a state dict"),
        (lambda path: path.mkdir(), "is no file"),
        (lambda path: path.write_text("weights"), "nothing in it was run"),
        (lambda path: path.write_bytes(b""), "could not be read by PyTorch (EOFError"),
        (cut, "could not be read by PyTorch"),
        (lambda path: torch.save(connected(4, 3), path), "more than weights, such as a whole"),
        (saved(torch.ones(3)), "holds a Tensor; expected a state dict"),
        (saved({}), "holds a dict without entries"),
        (saved({"model": {"w": torch.ones(2)}}), "holds a dict under 'model'"),
        (saved({"w": torch.ones(2), "epoch": 3}), "holds a int under 'epoch'"),
        (saved({"w": torch.ones(2, dtype=torch.complex64)}), "torch.complex64 under 'w'"),
        (saved({"w": torch.ones(2).to_sparse()}), "torch.sparse_coo tensor"),
    ],
)
def test_what_is_refused(tmp_path, write, text):
    write(tmp_path / "file.pt")
    with pytest.raises(ib.InvalidInputError) as error:
        ib.interop.read_torch(tmp_path / "file.pt")
    assert text in str(error.value)


def test_a_path_is_a_name():
    with pytest.raises(ib.InvalidInputError, match="path is a int"):
        ib.interop.read_torch(3)
