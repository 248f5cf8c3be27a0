"""The log-likelihood per customer of fits, by whatever program: KEYS FITS

KEYS is the file of `fit.py`, FITS a JSON list of pairs: the name of a model and its parameters, in days.
"""

import json
import sys

import numpy as np
from numpy import log, log1p
from scipy.special import gammaln, hyp2f1


def bg_nbd(x, t_x, age, r, alpha, a, b):
    """Fader, Hardie and Lee 2005, equation 6, in logarithms."""
    buying = gammaln(r + x) - gammaln(r) + r * log(alpha)
    staying = gammaln(a + b) - gammaln(b) + gammaln(b + x) - gammaln(a + b + x)
    alive = -(r + x) * log(alpha + age)
    gone = log(a) - log(b + np.maximum(x, 1) - 1) - (r + x) * log(alpha + t_x)
    return buying + staying + np.logaddexp(alive, np.where(x > 0, gone, -np.inf))


def pareto_nbd(x, t_x, age, r, alpha, s, beta):
    """Fader and Hardie, note 009 (2005), equations 22 and 23, in logarithms."""
    k, n = r + x, r + s + x
    larger = max(alpha, beta)
    # The second argument of 2F1 in the part of those who have left, and of those who are alive.
    left, alive = (s + 1, s) if alpha >= beta else (k, k + 1)
    started = gammaln(k) - gammaln(r) + r * log(alpha) + s * log(beta)
    part = started - log(n)
    return np.logaddexp(
        part + log(s) + log_2f1(n, left, abs(alpha - beta) / (larger + t_x)) - n * log(larger + t_x),
        part + log(k) + log_2f1(n, alive, abs(alpha - beta) / (larger + age)) - n * log(larger + age),
    )


def log_2f1(n, b, z):
    """The logarithm of 2F1(n, b; n + 1; z), by Euler's transformation: what is left of 2F1 does not overflow."""
    return (1 - b) * log1p(-z) + log(hyp2f1(1, n + 1 - b, n + 1, z))


def main():
    path, fits = sys.argv[1:]
    keys = np.load(path)
    rows = np.column_stack([keys["x"], keys["t_x"], keys["age"]])
    unique, counts = np.unique(rows, axis=0, return_counts=True)
    x, t_x, age = unique.T.astype(float)
    models = {"bg_nbd": bg_nbd, "pareto_nbd": pareto_nbd}
    told = [models[model](x, t_x, age, **parameters) @ counts / len(rows) for model, parameters in json.loads(fits)]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
