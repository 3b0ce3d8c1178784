"""One meaning, one word: former names still work and say what they are called now."""

import inspect
import json
import linecache
import re
import warnings
import zipfile
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

import implicitbias as ib
from helpers.draws import normal
from helpers.results import examples, same
from implicitbias import datasets, estimators, plotting, report, verification
from implicitbias.cli import main

REAL = ib.Regression(*normal(0, (3, 5), 3))
SIGNS = ib.Classification([[1.0, 0.5], [-0.3, 1.0]], [1, -1])
NETWORK = ib.DiagonalNetwork(num_features=5, depth=2)
INIT = ib.Initialization([np.ones(5), np.zeros(5)], scale=0.3)
(TENSOR,) = normal(1, (3, 3, 3))
SITUATION = (NETWORK, REAL, INIT)


def said(call, **options):
    """What a call answers, or refuses, in a form that is compared bit for bit."""
    try:
        found = call(**options)
    except ib.NoPredictionError as error:
        return str(error)
    if isinstance(found, ib.Comparison):
        return found.tolerance, dict(found.pairs)
    if isinstance(found, ib.Flow):
        return found.coefficients.tobytes()
    return str(found)


def lines_of(caught):
    """The last argument of each line of this file that warnings point at."""
    assert {each.filename for each in caught} <= {__file__}
    lines = [linecache.getline(__file__, each.lineno).strip() for each in caught]
    return [re.search(r"([^(, ]+)\)[^)]*$", line)[1] for line in lines]


def comparison(**options):
    return ib.compare(ib.gradient_flow(*SITUATION), ib.predict_limit(*SITUATION), **options)


# What takes a former name: the function, both names, and a value that makes a difference.
RENAMED = {
    "predict_limit": (partial(ib.predict_limit, *SITUATION), "tol", "certified_to", 1e-300),
    "limit_path": (
        partial(ib.limit_path, NETWORK, REAL, INIT, [1.0, 0.1]),
        "tol",
        "certified_to",
        1e-300,
    ),
    "explain": (partial(ib.explain, *SITUATION), "tol", "certified_to", 1e-300),
    "gradient_flow": (partial(ib.gradient_flow, *SITUATION), "tol", "rtol", 1e-4),
    "gradient_flow, activation": (
        lambda **options: ib.gradient_flow(*SITUATION, activation="tanh", **options).predictions,
        "tol",
        "rtol",
        1e-4,
    ),
    "compare": (comparison, "tol", "agreement", 1e-3),
    "verify": (partial(ib.verify, *SITUATION), "tol", "agreement", 1e-3),
    "tensor_singular_vectors": (
        partial(ib.tensor_singular_vectors, TENSOR, num_starts=200),
        "tol",
        "residual",
        0.2,
    ),
}


@pytest.mark.filterwarnings("ignore::implicitbias.CertificateWarning")
@pytest.mark.parametrize("title", RENAMED)
def test_former_names_of_arguments_do_the_same_and_say_so(title):
    call, former, name, value = RENAMED[title]
    expected = said(call, **{name: value})
    assert expected != said(call)
    message = f"^{former} is called {name} now; the former name goes with 0.3.$"
    with pytest.warns(DeprecationWarning, match=message) as caught:
        found = said(call, **{former: value})
    assert found == expected
    mine = [each for each in caught if each.category is DeprecationWarning]
    assert lines_of(mine) == ["**options"]


@pytest.mark.parametrize("title", RENAMED)
def test_both_names_at_once_are_refused(title):
    call, former, name, value = RENAMED[title]
    with pytest.raises(ib.InvalidInputError, match=f"got both {name} and {former}"):
        call(**{former: value, name: value})


def test_other_warnings_still_point_at_the_caller():
    with pytest.warns(ib.CertificateWarning) as caught:
        ib.limit_path(NETWORK, REAL, INIT, [1.0], certified_to=1e-300)
    assert lines_of(caught) == ["certified_to=1e-300"]


def test_the_former_route():
    network = ib.ConvolutionalNetwork(5, (5, 5))
    situation = (network, REAL, ib.Initialization([np.ones(5), np.zeros(5)], scale=0.3))
    expected = ib.gradient_flow(*situation, route="fourier")
    message = "route='coordinates' is called route='fourier' now"
    with pytest.warns(DeprecationWarning, match=message) as caught:
        found = ib.gradient_flow(*situation, route="coordinates")
    assert lines_of(caught) == ['route="coordinates"']
    assert found.route == "fourier"
    assert np.array_equal(found.coefficients, expected.coefficients)


def test_the_former_name_of_a_class():
    message = "implicitbias.Reference is called implicitbias.LeastNorm now"
    with pytest.warns(DeprecationWarning, match=message) as caught:
        assert ib.Reference is ib.LeastNorm
    assert [each.filename for each in caught] == [__file__]
    assert "Reference" not in dir(ib)


@pytest.mark.parametrize("title", ["LeastNorm", "SimulatedLimit"])
def test_files_with_the_former_name_of_a_class(title, tmp_path):
    new, old = tmp_path / "new.npz", tmp_path / "old.npz"
    ib.save(examples()[title], new)
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(old, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "manifest.json":
                assert b'"LeastNorm"' in content
                content = content.replace(b'"LeastNorm"', b'"Reference"')
            target.writestr(name, content)
    assert same(ib.load(old), examples()[title])


# The same words everywhere


@pytest.fixture
def file(tmp_path):
    columns = ",".join([*"abcde", "y"])
    rows = [",".join(map(repr, map(float, row))) for row in np.c_[REAL.X, REAL.y]]
    data = tmp_path / "data.csv"
    data.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return data


def command(name, file, *options):
    arguments = [name, str(file), "--target", "y", "--json", *map(str, options)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return np.array(list(json.loads(result.stdout)["coefficients"].values())), result.stderr


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("network", ["diagonal", "convolutional", "fully_connected"])
def test_a_network_starts_alike_everywhere(network, depth, file):
    """Early in training, where every start is another one."""
    options = ("--network", network, "--depth", depth, "--scale", 0.7, "--max-time", 0.05)
    found, _ = command("flow", file, *options)
    model = estimators.StoppedFlowRegressor(
        network, depth, 0.7, stop_time=0.05, tol=1e-10, fit_intercept=False
    )
    np.testing.assert_allclose(found, model.fit(REAL.X, REAL.y).coef_, rtol=1e-7)
    assert np.abs(REAL.X @ found - REAL.y).max() > 0.01


@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_fully_connected_networks_end_where_they_are_predicted_at_every_scale(file, scale):
    options = ("--network", "fully-connected", "--scale", scale)
    found, _ = command("flow", file, *options)
    np.testing.assert_allclose(found, command("predict", file, *options)[0], rtol=1e-8)


@pytest.mark.parametrize("spelled", ["fully_connected", "fully-connected"])
def test_names_are_read_with_hyphens_and_with_underscores(spelled, file):
    found, _ = command("predict", file, "--network", spelled)
    model = estimators.FlowLimitRegressor(spelled, fit_intercept=False).fit(REAL.X, REAL.y)
    np.testing.assert_allclose(found, np.linalg.pinv(REAL.X) @ REAL.y, rtol=1e-9)
    np.testing.assert_allclose(found, model.coef_, rtol=1e-9)


def test_names_of_data_sets_are_read_with_hyphens():
    assert np.array_equal(datasets.load("breast-cancer").X, datasets.load("breast_cancer").X)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: datasets.load("iris setosa"), "name is 'iris setosa'; expected one of diabetes"),
        (lambda: datasets.load(["iris"]), r"name is \['iris'\]; expected one of diabetes"),
        (
            lambda: estimators.FlowLimitRegressor("dense").fit(REAL.X, REAL.y),
            "network is 'dense'; expected one of diagonal, convolutional, fully_connected",
        ),
    ],
)
def test_unknown_names_are_refused(call, message):
    with pytest.raises(ib.InvalidInputError, match=message):
        call()


def test_the_command_line_takes_the_former_route(file):
    options = ("--network", "convolutional", "--route")
    expected, nothing = command("flow", file, *options, "fourier")
    found, told = command("flow", file, *options, "coordinates")
    assert np.array_equal(found, expected)
    assert "Warning" not in nothing
    assert "Warning: 'coordinates' is called 'fourier' now" in told
    shown = CliRunner().invoke(main, ["flow", "--help"]).output
    assert "fourier" in shown
    assert not re.search(r"\bcoordinates\b", shown)


def test_a_tolerance_that_is_refused_is_called_what_the_estimator_calls_it():
    for tol in (0.0, 1e-18):
        with pytest.raises(ib.InvalidInputError, match=f"^tol is {tol:g}; expected"):
            estimators.StoppedFlowRegressor(tol=tol).fit(REAL.X, REAL.y)


# No word comes back


def functions():
    """The public functions and methods outside the estimators, by name."""
    for module in (ib, datasets, plotting, report, verification, ib.lemma4):
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing):
                for key in [each for each in dir(thing) if each[0] != "_"]:
                    method = inspect.getattr_static(thing, key)
                    method = getattr(method, "__func__", method)
                    if inspect.isfunction(method):
                        yield f"{name}.{key}", method
                yield name, thing.__init__
            elif inspect.isfunction(thing):
                yield name, thing


def parameters_of(function):
    return set(inspect.signature(function).parameters)


def test_no_tolerance_without_a_meaning():
    """Outside the estimators ``tol`` is one residual, of the contract."""
    found = {name for name, function in functions() if "tol" in parameters_of(function)}
    assert found == {
        f"{family}.orthogonal_decomposition"
        for family in vars(ib)["__all__"]
        if family.endswith("Network")
    }


@pytest.mark.parametrize(
    "word", ["max_iter", "init_scale", "init_direction", "alpha", "tolerance", "atol", "eps"]
)
def test_words_of_scikit_learn_stay_there(word):
    fields = {"Comparison"}  # its ``tolerance`` is a result's
    found = {name for name, function in functions() if word in parameters_of(function)}
    assert found <= fields


def test_signatures_show_the_present_names():
    for name in ("predict_limit", "limit_path", "explain", "gradient_flow", "compare", "verify"):
        parameters = parameters_of(getattr(ib, name))
        assert not parameters & {"args", "kwargs", "tol"}
        assert parameters & {"certified_to", "rtol", "agreement"}


def test_plotting_and_the_state_of_a_flow_are_public():
    assert {"plotting", "FlowState"} <= set(dir(ib))
    assert ib.plotting is plotting
    states = []
    with warnings.catch_warnings(action="error"):
        ib.gradient_flow(*SITUATION, callback=states.append)
    assert all(isinstance(state, ib.FlowState) for state in states)
