"""Rows that are held out: the number is round(n share), classes give theirs as evenly as can be, no part is empty."""

import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp._training import job, splits

SHARES = st.floats(0.001, 0.999) | st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.9])


def split(*args, **named):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return splits.split_rows(*args, **named)


@settings(max_examples=300, deadline=None)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30), share=SHARES, seed=st.integers(0, 2**32 - 1),
       order=st.integers(0, 2**32 - 1))
def test_counts_are_exact_and_every_class_gives_its_share(sizes, share, seed, order):
    y = np.random.default_rng(order).permutation(np.repeat(np.arange(len(sizes)), sizes))
    n = len(y)
    if not 0 < round(n * share) < n:
        with pytest.raises(ValueError, match=f"test_size is .* of {n} rows?, of which .* would be held out"):
            split(y, share, seed)
        return
    train, test = split(y, share, seed)
    assert len(test) == round(n * share) and np.array_equal(np.sort([*train, *test]), np.arange(n))
    assert (np.diff(train) > 0).all() and (np.diff(test) > 0).all()
    held = np.bincount(y[test], minlength=len(sizes))
    assert (np.abs(held - np.array(sizes) * share) < 1 + 1e-9).all()
    again = split(y, share, seed)
    assert np.array_equal(train, again[0]) and np.array_equal(test, again[1])
    assert len(split(y, share, seed, stratify=False)[1]) == len(test)


@pytest.mark.parametrize(("classes", "size", "share", "held"), [
    (100, 5, 0.1, 50), (100, 4, 0.1, 40), (10, 1, 0.5, 5), (3, 7, 0.2, 4), (7, 3, 0.3, 6), (2, 30, 0.1, 6)])
def test_small_classes_give_the_number_asked_for(classes, size, share, held):
    y = np.repeat(np.arange(classes), size)
    train, test = split(y, share, 0)
    assert (len(train), len(test)) == (len(y) - held, held)
    counts = np.bincount(y[test], minlength=classes)
    assert counts.max() - counts.min() <= 1
    assert len(split(y.astype(str), share, 0)[1]) == held


def test_one_rule_for_classes_quantities_and_the_last_part():
    y = np.random.default_rng(0).integers(0, 5, 37)
    for share in (0.1, 0.135, 0.5, 0.95):
        held = splits.held_out(share, 37, "share")
        assert held == round(37 * share) == 37 - job.held_out(share, 37)
        assert len(split(y, share, 1)[1]) == len(split(y, share, 1, stratify=False)[1]) == held


def test_of_equal_fractions_the_classes_that_keep_a_row_come_first():
    y = np.repeat([0, 1, 2, 3], [1, 3, 1, 3])
    for seed in range(20):
        _, test = split(y, 0.5, seed)
        assert np.bincount(y[test], minlength=4).tolist() == [0, 2, 0, 2]


def test_which_of_equal_classes_give_is_the_seeds_choice():
    y = np.repeat(np.arange(100), 5)
    held = [tuple(np.unique(y[split(y, 0.1, seed)[1]])) for seed in (0, 0, 1)]
    assert held[0] == held[1] != held[2] and held[0] != tuple(range(50))


def test_a_warning_names_the_classes_that_are_in_one_part():
    y = np.repeat(np.arange(100), 5)
    with pytest.warns(UserWarning, match=r"test_size 0.1 of 500 rows holds out 50: 50 of 100 classes have no row to "
                                         r"validate with \((\d+, ){5}\.\.\.\); give these classes more rows"):
        splits.split_rows(y, 0.1, 0)
    with pytest.warns(UserWarning, match=r"1 of 3 classes has no row to train on \('b.x1b'\)"):
        splits.split_rows(np.repeat([0, 1, 2], [10, 1, 10]), 0.9, 0, classes=("a", "b\x1b", "c"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        splits.split_rows(np.repeat(np.arange(3), 10), 0.2, 0)
        splits.split_rows(np.repeat(np.arange(30), 1), 0.2, 0, stratify=False)


@pytest.mark.parametrize(("share", "error"), [(0, ValueError), (1, ValueError), (1.5, ValueError), (-0.1, ValueError),
                                              (float("nan"), ValueError), (True, TypeError), ("0.2", TypeError)])
def test_a_share_that_is_none(share, error):
    with pytest.raises(error, match=r"test_size is .*, expected a finite number > 0 and < 1"):
        splits.split_rows(np.arange(10), share, 0)
    with pytest.raises(ValueError, match="seed is -1"):
        splits.split_rows(np.arange(10), 0.5, -1)


def test_an_empty_part_is_refused_with_the_numbers():
    message = r"validation_split is 0.05 of 9 rows, of which 0 would be held out and 9 left to train on, expected at " \
              "least one of each; change it, or give more rows"
    with pytest.raises(ValueError, match=message):
        splits.split_rows(np.arange(9) % 2, 0.05, 0, name="validation_split")
    with pytest.raises(ValueError, match="of which 3 would be held out and 0 left"):
        splits.split_rows(np.arange(3), 0.99, 0, stratify=False)


def test_many_classes_are_split_in_no_time():
    """A pass over the rows for each class would be 6e10 comparisons."""
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(100_000), 6))
    begun = time.process_time()
    train, test = split(y, 0.5, 0)
    assert time.process_time() - begun < 10
    assert len(test) == 300_000 and len(np.unique(y[test])) == len(np.unique(y[train])) == 100_000
