import copy
import math
import pickle

import numpy as np
import pytest
import torch

from graphcl._arguments import NotWholeError, check_number, check_whole


@pytest.mark.parametrize("value", [3, np.int64(3), np.array(3), torch.tensor(3), torch.tensor([3], dtype=torch.int8)])
def test_whole_numbers_of_any_make(value):
    number = check_whole("hops", value, 3)
    assert number == 3 and type(number) is int
    with pytest.raises(ValueError, match="expected hops of at least 4, got 3"):
        check_whole("hops", value, 4)


@pytest.mark.parametrize("value", [2.0, 2.5, True, np.True_, torch.tensor(True), torch.tensor([2, 3]), "2", None])
@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_what_is_not_whole_is_of_a_wrong_type_and_of_a_wrong_value(value, error):
    with pytest.raises(error, match="expected hops as a whole number, got"):
        check_whole("hops", value)


def test_the_error_goes_to_other_processes():
    error = NotWholeError("expected hops as a whole number, got 2.5")
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is NotWholeError and str(again) == str(error)


@pytest.mark.parametrize("value", [3, 0.5, np.float32(0.5), torch.tensor(0.5), math.inf])
def test_real_numbers_of_any_make(value):
    assert check_number("std", value) == value and type(check_number("std", value)) in (int, float)


@pytest.mark.parametrize("value", [True, "1", None, [1.0], 1j])
def test_what_is_not_a_number_is_refused(value):
    with pytest.raises(TypeError, match="expected std as a share, got"):
        check_number("std", value, "a share")
