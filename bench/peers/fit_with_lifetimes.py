"""lifetimes: KEYS MODEL LIMIT each|counted"""

import json
import signal
import sys
import time

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, ParetoNBDFitter

path, model, limit, rows = sys.argv[1:]
keys = pd.DataFrame(dict(np.load(path)))
fitter = {"pareto_nbd": ParetoNBDFitter, "bg_nbd": BetaGeoFitter}[model]()
# Pareto/NBD begins at a random point.
np.random.seed(1)
# The signal ends this program, whatever it is at.
signal.alarm(int(limit))
begun = time.monotonic()
weights = None
if rows == "counted":
    keys = keys.groupby(["x", "t_x", "age"], as_index=False).size()
    weights = keys["size"]
fitter.fit(keys["x"], keys["t_x"], keys["age"], weights=weights)
seconds = time.monotonic() - begun
print(json.dumps({"seconds": seconds, "parameters": {name: float(value) for name, value in fitter.params_.items()}}))
