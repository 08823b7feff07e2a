"""fastbp/_training/job.py: orders, shares and logs of a training. How its epochs are cut into calls is in
test_epochs.py."""

import pytest

from fastbp._training import job


def test_one_batch_of_all_rows_needs_no_order():
    assert job.epoch_order(10, 10, True, 0) is None
    assert job.epoch_order(10, 3, False, 0) is None
    assert sorted(job.epoch_order(10, 3, True, 0)) == list(range(10))


@pytest.mark.parametrize(("share", "n", "first"), [(0.2, 10, 8), (0.25, 10, 8), (0.99, 200, 2), (0.5, 3, 1)])
def test_the_last_part_is_held_out(share, n, first):
    assert job.held_out(share, n) == first


@pytest.mark.parametrize(("share", "n", "held", "left"), [
    (0.01, 10, 0, 10), (0.99, 10, 10, 0), (0.5, 1, 0, 1), (0.9, 1, 1, 0), (0.1, 2, 0, 2), (0.1, 4, 0, 4),
    (0.9, 3, 3, 0),
])
def test_a_part_of_nothing_is_refused(share, n, held, left):
    with pytest.raises(ValueError) as error:
        job.held_out(share, n)
    assert str(error.value) == (
        f"validation_split is {share} of {n} sample{'s' * (n > 1)}, of which {held} would be held out and {left} left "
        "to train on, expected at least one of each; change it, or pass validation_data"
    )


def test_logs_name_what_an_epoch_tells():
    assert job.logged(["loss"]) == ["loss", "lr", "seconds", "samples_per_second"]
    assert job.logged(["loss", "accuracy"], ["loss", "accuracy"])[:4] == [
        "loss", "accuracy", "val_loss", "val_accuracy"
    ]
