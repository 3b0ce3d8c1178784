"""The core never imports PyTorch, and who needs it hears what to install."""

import subprocess
import sys

import numpy as np
import pytest

import implicitbias as ib

NETWORK = ib.DiagonalNetwork(2, 2)


def test_public_names_do_not_import_torch():
    code = (
        "import sys, implicitbias\n"
        "for name in implicitbias.__all__: getattr(implicitbias, name)\n"
        "import implicitbias.interop._modules\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'torch'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("call", "purpose"),
    [
        (lambda path: ib.from_torch(None), "from_torch"),
        (lambda path: ib.to_torch(NETWORK, [np.ones(2)] * 2), "to_torch"),
        (lambda path: ib.interop.read_torch(path), "reading a file of PyTorch"),
    ],
)
def test_who_needs_it_hears_what_to_install(call, purpose, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ib.InvalidInputError) as error:
        call(tmp_path / "weights.pt")
    assert f"{purpose} needs PyTorch: pip install 'implicitbias[torch]'" in str(error.value)


def test_unknown_modules_are_no_attributes():
    from implicitbias.interop import _modules

    with pytest.raises(AttributeError, match="no attribute 'ReluModule'"):
        _ = _modules.ReluModule
