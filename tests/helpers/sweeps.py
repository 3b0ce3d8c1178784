"""Plans of a few tasks, and what goes wrong while they run."""

import json
from collections import Counter

PLAN = {
    "verb": "predict",
    "data": {
        "name": "sparse",
        "num_points": 3,
        "num_features": 6,
        "num_nonzero": 1,
        "seed": [0, 1, 2],
    },
    "network": {"name": "diagonal", "depth": [2, 3]},
    "start": {"scale": [0.01, 1.0]},
}


def plan(**changes):
    """The plan above, with other tables."""
    return PLAN | changes


def recorded(folder):
    """How often each task stands in the files of results."""
    lines = [
        line
        for file in sorted((folder / "results").glob("[0-9]*.jsonl"))
        for line in file.read_bytes().splitlines()
    ]
    return Counter(json.loads(line)["record"]["task"] for line in lines)
