"""fastbp: compiled backpropagation for the CPU. NumPy in, NumPy out.

import fastbp as fb

net = fb.mlp(784, 16, 16, 10, activation="sigmoid", output="sigmoid", loss="squared_error")
net.fit(X, y, epochs=30, batch_size=100, optimizer=fb.SGD(lr=3.0))
net.predict(X)
"""

from . import losses, schedules
from ._core import cpu
from .callbacks import Callback, EarlyStopping, History, StopTraining
from .files import load
from .gradcheck import GradCheck, gradcheck
from .layers import Dense, Dropout
from .many import fit_many
from .network import Sequential, mlp
from .optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from .train import batches

__version__ = "0.1.0"
__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Callback",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "GradCheck",
    "History",
    "RMSprop",
    "Sequential",
    "StopTraining",
    "batches",
    "cpu",
    "fit_many",
    "gradcheck",
    "load",
    "losses",
    "mlp",
    "schedules",
]
