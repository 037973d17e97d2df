"""The functional form is the losses' own functions, no copies of them."""

from graphcl.losses import functional, info_nce, nt_xent


def test_every_name_is_there_and_is_the_loss_itself():
    assert set(functional.__all__) == {"info_nce", "nt_xent"}
    assert functional.info_nce is info_nce.info_nce
    assert functional.nt_xent is nt_xent.nt_xent
