"""Training an expression: what `Plan.fit` checks and knows of it. The loop itself is in fastbp/_training/loop.py."""

import numpy as np

from fastbp._check import input_arrays
from fastbp._compiler.use import Use
from fastbp._ir.node import ordered
from fastbp._training import described, finite, hints, job


class ExpressionJob(job.Job):
    """The checked data of one fit of an expression, and its plans."""

    def __init__(self, plan, data, batch_size, validation_data, validation_split, threads):
        self.model = plan
        arrays = self.checked("data", data)
        fraction = job.validation_fraction(validation_split, validation_data)
        self.validation = None if validation_data is None else self.checked("validation_data", validation_data)
        if fraction:
            edge = job.held_out(fraction, len(next(iter(arrays.values()))))
            self.validation = {name: array[edge:] for name, array in arrays.items()}
            arrays = {name: array[:edge] for name, array in arrays.items()}
        super().__init__(plan, arrays, batch_size, threads)

    def checked(self, name, data):
        if not isinstance(data, dict):
            raise TypeError(
                f"{name} is {type(data).__name__}, expected a dict with an array for each input; pass {{'x': ...}}"
            )
        arrays, _ = self.model._checked(data, self.model._of_loss)
        if not arrays:
            raise ValueError("the loss has no inputs, expected data to train on; use loss_and_grad and optimizer.step")
        for key, array in arrays.items():
            # what is converted was searched when it was looked at
            missing = key in self.model._may_miss
            if array.dtype == self.model.dtype and not missing and not input_arrays.all_finite(array, self.model.dtype):
                raise ValueError(
                    f"input {key!r} has NaN or infinity in it, expected finite numbers; clean it, or leave rows out"
                )
        return arrays

    def names(self):
        return job.logged(["loss"], () if self.validation is None else ["loss"])

    def plan(self, batch, gathered):
        dtypes = self.model._input_dtypes(self.arrays)
        return self.model._plans.get(Use("train", batch, gathered=gathered, dtypes=dtypes, threads=self.threads))

    def input_dtypes(self):
        return self.validation and self.model._input_dtypes(self.validation)

    def evaluation(self):
        if self.validation is None:
            return []
        n = len(next(iter(self.validation.values())))
        plan = self.model._plans.take(Use("loss", n, dtypes=self.model._input_dtypes(self.validation)))
        return [(plan, self.validation, 0, 1, 1.0)]

    def measured(self):
        return self.names()

    def described(self):
        plan = self.model
        shapes = {name: list(array.shape) for name, array in plan.parameters.items()}
        made = described.graph(ordered([plan.loss_node]))
        return {"kind": "expression", "dtype": plan.dtype.name, "seed": plan.seed, "parameters": shapes, "graph": made}

    def validation_arrays(self):
        return self.validation

    def hint(self, history, known):
        look = hints.stands_still(history, known)
        if not look:
            return ""
        return hints.from_the_start(history, self.optimizer, look, hints.large_data(self.arrays))

    def chunk(self, most):
        return 1 if self.model.debug else super().chunk(most)

    def check_step(self, epoch, step):
        if not self.model.debug:
            return
        batch = self.batch if step < self.n // self.batch else self.n % self.batch
        found = self.trouble(self.rows_of_step(self.training_state.order_at_hand(), step, batch), finite.anywhere)
        if found is not None:
            raise FloatingPointError(
                f"epoch {epoch + 1}, step {step + 1}: a number is not finite {found.where}; the parameters are those "
                f"before this step. {_sentence(found.remedy)}"
            )

    def explained(self, rows, loss, layer):
        found = self.trouble(rows, finite.forward if layer is None else finite.backward)
        where, remedy = ("", finite.SLOWER) if found is None else found[:2]
        if layer is None:
            what = f"the loss became {loss} {where}"
        elif found is None:
            what = f"a parameter of {layer} stopped being finite"
        else:
            what = f"a parameter of {layer} stopped being finite, as its gradient does {where}"
        return what, _sentence(remedy)

    def trouble(self, rows, look):
        """What `look`, of fastbp._training.finite, finds in the step over these rows that is next."""
        rows = {name: np.ascontiguousarray(array) for name, array in rows.items()}
        return look(self.model, rows, len(next(iter(rows.values()))), self.model._draws)


def _sentence(text):
    return text[0].upper() + text[1:]
