"""Layers: what a network is made of, a file for each. A new one is named here; `fastbp` shows what __all__ lists."""

from fastbp.layers.base import KINDS as KINDS
from fastbp.layers.base import Layer as Layer
from fastbp.layers.base import Parameter as Parameter
from fastbp.layers.base import from_config as from_config
from fastbp.layers.dense import Dense
from fastbp.layers.dropout import Dropout
from fastbp.layers.layer_norm import LayerNorm
from fastbp.layers.row import in_a_row as in_a_row
from fastbp.layers.row import narrower as narrower

__all__ = ["Dense", "Dropout", "LayerNorm"]
