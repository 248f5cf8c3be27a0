"""pymc-marketing: KEYS MODEL LIMIT"""

import json
import signal
import sys
import time

import numpy as np
import pandas as pd
from pymc_extras.prior import Prior
from pymc_marketing.clv import BetaGeoModel, ParetoNBDModel

path, model, limit = sys.argv[1:]
keys = np.load(path)
data = pd.DataFrame(
    {
        "customer_id": np.arange(len(keys["x"])),
        "frequency": keys["x"].astype(float),
        "recency": keys["t_x"].astype(float),
        "T": keys["age"].astype(float),
    }
)
kind, names = {
    "pareto_nbd": (ParetoNBDModel, ("r", "alpha", "s", "beta")),
    "bg_nbd": (BetaGeoModel, ("r", "alpha", "a", "b")),
}[model]


def fitted(customers):
    """The most likely parameters: with flat priors, the maximum is that of the likelihood."""
    one = kind(model_config={name: Prior("HalfFlat") for name in names})
    one.fit(data=customers, method="map", progressbar=False)
    return {name: float(one.fit_result[name].squeeze()) for name in names}


# Makes PyTensor's C code, or finds what an earlier run has made.
fitted(data[:1000])
# The signal ends this program, whatever it is at.
signal.alarm(int(limit))
begun = time.monotonic()
parameters = fitted(data)
seconds = time.monotonic() - begun
print(json.dumps({"seconds": seconds, "parameters": parameters}))
