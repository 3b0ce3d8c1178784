"""Limits of data that stay on a device or on the workers of a cluster."""

import os
import signal
from importlib import import_module

import numpy as np
import pytest

import implicitbias as ib
from helpers.draws import normal
from helpers.features import OPTIONAL, two_workers
from implicitbias.features import Features, OnCluster, OnDevice

N, D = 8, 60
SAME = 1e-12


@pytest.fixture(params=OPTIONAL)
def elsewhere(request):
    """A matrix as such features; skipped where their library is missing."""
    _, *needs = OPTIONAL[request.param]
    for module in needs:
        pytest.importorskip(module)
    if request.param == "device":
        return OnDevice
    if request.param == "torch":
        return lambda X: OnDevice(import_module("torch").asarray(X.copy()))
    da = import_module("dask.array")
    return lambda X: OnCluster(da.from_array(X, chunks=(3, 25)), client=two_workers())


def apart(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("scale", [1e-1, 1e-5])
@pytest.mark.parametrize(("kind", "depth"), [("diagonal", 2), ("diagonal", 3), ("two-sided", 2.5)])
def test_limits(elsewhere, kind, depth, scale):
    X, y = normal(0, (N, D), N)
    if kind == "diagonal":
        network = ib.DiagonalNetwork(D, depth)
        directions = [np.ones(D)] * (depth - 1) + [np.zeros(D)]
    else:
        network, directions = ib.TwoSidedDiagonalNetwork(D, depth), [np.ones(D), np.ones(D)]
    init = ib.Initialization(directions, scale=scale)
    expected = ib.predict_limit(network, ib.Regression(X, y), init)
    found = ib.predict_limit(network, ib.Regression(elsewhere(X), y), init)
    assert found.certificate.worst <= SAME
    assert apart(found.coefficients, expected.coefficients) <= SAME


def test_paths_and_ranks(elsewhere):
    X, y = normal(0, (N, D), N)
    X, y = np.vstack([X, X[:1] - X[1:2]]), np.append(y, y[0] - y[1])
    network, directions = ib.DiagonalNetwork(D, 2), [np.ones(D), np.zeros(D)]
    scales = [np.inf, 1.0, 1e-2, 0.0]
    problem = ib.Regression(elsewhere(X), y)
    assert problem.rank == N
    found = ib.limit_path(network, problem, directions, scales)
    expected = ib.limit_path(network, ib.Regression(X, y), directions, scales)
    assert apart(found.coefficients, expected.coefficients) <= SAME


def test_other_verbs_are_refused_by_name(elsewhere):
    X, y = normal(0, (N, D), N)
    problem = ib.Regression(elsewhere(X), y)
    init = ib.Initialization([np.ones(D), np.zeros(D)], scale=0.1)
    for verb in (ib.gradient_flow, ib.verify, ib.sensitivity):
        with pytest.raises(ib.InvalidInputError, match=r"X is a(n array| Dask)"):
            verb(ib.DiagonalNetwork(D, 2), problem, init)


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (lambda X: X.astype(np.float32), "an array of float32 and limits need float64"),
        (lambda X: X[0], r"shape \(60,\)"),
        (lambda X: X[:0], r"shape \(0, 60\)"),
        (lambda X: X * np.inf, "not finite"),
    ],
)
def test_arrays_that_are_no_data(broken, text):
    pytest.importorskip("array_api_compat")
    with np.errstate(invalid="ignore"):
        array = broken(normal(0, (N, D))[0])
    with pytest.raises(ib.InvalidInputError, match=text):
        OnDevice(array)
    with pytest.raises(ib.InvalidInputError, match="X is of type list"):
        OnDevice([[1.0]])


def test_tensors():
    pytest.importorskip("array_api_compat")
    torch = pytest.importorskip("torch")
    tensor = torch.ones((2, 3), dtype=torch.float64, requires_grad=True)
    with pytest.raises(ib.InvalidInputError, match=r"X\.detach\(\)"):
        OnDevice(tensor)
    assert OnDevice(tensor.detach()).array is not None
    with pytest.raises(ib.InvalidInputError, match=r"torch\.float32 and limits need float64"):
        OnDevice(torch.ones((2, 3)))


class Elsewhere:
    """An array that says that it is on a device."""

    device = "cuda:0"
    __module__ = "torch"
    shape = (2, 3)


def test_missing_extras_are_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("implicitbias.features._device.import_module", missing)
    monkeypatch.setattr("implicitbias.features._cluster.import_module", missing)
    with pytest.raises(ib.InvalidInputError, match=r"implicitbias\[arrays\]"):
        ib.Regression(Elsewhere(), np.ones(2))
    kind = type("Array", (), {"__module__": "dask.array.core"})
    with pytest.raises(ib.InvalidInputError, match=r"implicitbias\[dask\]"):
        ib.Regression(kind(), np.ones(2))


def test_arrays_of_dask():
    pytest.importorskip("distributed")
    da = import_module("dask.array")
    X = normal(0, (N, D))[0]
    client = two_workers()
    single = OnCluster(da.from_array(X.astype(np.float32), chunks=(2, 9)), client=client)
    assert np.array_equal(single.toarray(), X.astype(np.float32))
    assert isinstance(single, Features)
    for broken, text in (
        (da.ones((3,)), r"shape \(3,\)"),
        (da.ones((3, 2), dtype=complex), "dtype complex128"),
        (da.full((3, 2), np.nan), "not finite"),
        (da.ones((4, 2))[da.ones(4) > 0], r"shape \(nan, 2\)"),
    ):
        with pytest.raises(ib.InvalidInputError, match=text):
            OnCluster(broken, client=client)


def test_dask_without_a_client_embeds_a_cluster():
    pytest.importorskip("distributed")
    X, y = normal(0, (N, D), N)
    problem = ib.Regression(import_module("dask.array").from_array(X, chunks=(N, 20)), y)
    assert isinstance(problem.X, OnCluster)
    assert problem.rank == N


@pytest.fixture
def two_processes():
    """Workers that can be killed."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.mark.filterwarnings("ignore")  # what a killed worker leaves open
def test_the_number_of_workers_does_not_matter_nor_does_losing_one(two_processes):
    da = import_module("dask.array")
    X, y = normal(0, (N, D), N)
    network = ib.DiagonalNetwork(D, 2)
    init = ib.Initialization([np.ones(D), np.zeros(D)], scale=1e-2)
    problems = [
        ib.Regression(OnCluster(da.from_array(X, chunks=(N, 7)), client=client), y)
        for client in (two_workers(), two_processes)
    ]
    found = [ib.predict_limit(network, problem, init).coefficients for problem in problems]
    lost = min(two_processes.run(os.getpid).values())
    os.kill(lost, signal.SIGKILL)
    found.append(ib.predict_limit(network, problems[1], init).coefficients)
    assert lost not in two_processes.run(os.getpid).values()
    expected = ib.predict_limit(network, ib.Regression(X, y), init).coefficients
    for each in found:
        assert apart(each, expected) <= SAME
