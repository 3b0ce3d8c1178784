"""scikit-learn's own checks, all of them."""

import json
import os
import subprocess
import sys

import pytest

CASES = {
    "FlowLimitRegressor": ({}, 61),
    "FlowLimitRegressorCV": ({"init_scales": 3, "cv": 2}, 60),
    "FlowLimitClassifier": ({}, 55),
    "FlowLimitClassifierCV": ({"init_scales": 3, "cv": 2}, 55),
    "StoppedFlowRegressor": ({"num_times": 5, "cv": 2, "tol": 1e-3}, 59),
}
OLDER = 2  # checks that scikit-learn 1.6 does not know
COUNT = """
import json, sys, warnings
warnings.simplefilter("ignore")
from sklearn.utils.estimator_checks import check_estimator
from implicitbias import estimators
name, parameters = sys.argv[1], json.loads(sys.argv[2])
model = getattr(estimators, name)(**parameters)
found = check_estimator(model, on_fail=None, on_skip=None)
print(json.dumps([[check["check_name"], check["status"]] for check in found]))
"""


@pytest.mark.parametrize("name", CASES)
def test_every_check_runs_and_passes(name):
    """Array API input, too, which scikit-learn skips unless the environment asks for it."""
    parameters, count = CASES[name]
    done = subprocess.run(
        [sys.executable, "-c", COUNT, name, json.dumps(parameters)],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert len(found) >= count - OLDER
    assert [check for check, status in found if status != "passed"] == []
