"""Faults of epochs that run without Python: what follows each of them, and where a call ends."""

from tests.faults import Fault

EPOCHS, ENDED = "tests/training/test_epochs.py", "tests/training/test_epochs_ended.py"
CORE, STATE = "fastbp/_core/epochs.pyx", "fastbp/_core/training_state.pyx"
STOPPING = "fastbp/_core/stopping.pyx"

FAULTS = [
    Fault(
        what="the next epochs of a call have the order of the first",
        file=STATE,
        old="permute(state.order, state.n, state.seed + <uint64_t>state.epoch)",
        new="permute(state.order, state.n, state.seed + <uint64_t>(state.epoch - state.finished))",
        red=(f"{EPOCHS}::test_epochs_in_one_call_are_those_of_many_calls",),
    ),
    Fault(
        what="the masks of the rest are those of the first step",
        file=STATE,
        old="state.taken + state.done, state.draws + <uint64_t>state.done, state.order",
        new="state.taken + state.done, state.draws + <uint64_t>state.base, state.order",
        red=(f"{EPOCHS}::test_epochs_in_one_call_are_those_of_many_calls",),
    ),
    Fault(
        what="epochs run on although early stopping is to be asked",
        file=STATE,
        old="state.n_evaluated == 0 and state.early_stopping.monitored < 0)",
        new="state.n_evaluated == 0 and state.early_stopping.monitored < 9)",
        red=(f"{EPOCHS}::test_early_stopping_is_the_same_without_python",
             f"{EPOCHS}::test_an_early_stopping_goes_on_counting_from_call_to_call"),
    ),
    Fault(
        what="early stopping waits an epoch longer",
        file=STOPPING,
        old="return early_stopping.waited >= early_stopping.patience",
        new="return early_stopping.waited > early_stopping.patience",
        red=(f"{EPOCHS}::test_early_stopping_is_the_same_without_python",),
    ),
    Fault(
        what="the best parameters are those of the end",
        file=STOPPING,
        old="        memcpy(early_stopping.best_params, params, early_stopping.nbytes)",
        new="        memcpy(early_stopping.best_params, early_stopping.best_params, early_stopping.nbytes)",
        red=(f"{EPOCHS}::test_early_stopping_is_the_same_without_python",),
    ),
    Fault(
        what="the numbers of early stopping are those of the call",
        file=CORE,
        old="stopping.stopped_epoch = self.first + state.epoch - 1",
        new="stopping.stopped_epoch = state.epoch - 1",
        red=(f"{EPOCHS}::test_an_early_stopping_goes_on_counting_from_call_to_call",),
    ),
    Fault(
        what="validation forgets the penalties",
        file=STATE,
        old="loss + penalties_of(state.params, state.item, state.penalties, state.n_penalties)",
        new="loss",
        red=("tests/training/test_network_fit.py::test_the_loss_of_the_validation_data_has_the_penalties",),
    ),
    Fault(
        what="an epoch that two calls share forgets the losses of the first",
        file=CORE,
        old="    new[:begun.stop - begun.start] = old[begun]\n",
        new="",
        red=(f"{EPOCHS}::test_a_call_may_end_anywhere",),
    ),
    Fault(
        what="Ctrl-C keeps the last call's epochs from the History",
        file="fastbp/_training/loop.py",
        old="            lambda: job.catch_up(history),\n",
        new="",
        red=(f"{ENDED}::test_ctrl_c_amid_many_epochs_leaves_none_out",),
    ),
    Fault(
        what="a plateau does not hear of the epoch that Ctrl-C came after",
        file="fastbp/_training/job.py",
        old="                    self.optimizer.observe(logs)\n                elif",
        new="                    pass\n                elif",
        red=(f"{ENDED}::test_who_goes_on_after_ctrl_c_has_the_bits_of_one_that_was_not_interrupted",),
    ),
    Fault(
        what="a loss that is infinite by its penalties goes on",
        file="fastbp/_core/executor.pyx",
        old="        if p.update is not NULL and not isfinite(call.loss):    # by",
        new="        if False:    # by",
        red=(f"{ENDED}::test_a_loss_that_is_infinite_by_its_penalties_ends_it",),
    ),
    Fault(
        what="a look at a loss that stands still reads all epochs",
        file="fastbp/_training/hints.py",
        old="        if look > known:\n",
        new="        if losses[look // 2 : look]:\n",
        red=(f"{EPOCHS}::test_many_looks_at_many_epochs_cost_no_more_than_the_first",),
    ),
    Fault(
        what="a hook that is put on an early stopping is passed over",
        file="fastbp/callbacks.py",
        old=" or any(hook in vars(only) for hook in _HOOKS.values())",
        new="",
        red=(f"{EPOCHS}::test_a_hook_put_on_an_early_stopping_is_called",),
    ),
    Fault(
        what="metrics are asked for one epoch of many",
        file="fastbp/_training/network_fit.py",
        old="return super().runs_without_python() and not self.metrics.names",
        new="return super().runs_without_python()",
        red=(f"{EPOCHS}::test_what_python_is_to_see_comes_back_after_each_epoch",),
    ),
]
