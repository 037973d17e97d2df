"""Bootstrap: predict the target encoder's embedding of the other view; no negatives."""

from jaxtyping import Float
from torch import Tensor

from graphcl.losses._checks import check_alike, check_rows
from graphcl.losses._objective import Objective
from graphcl.similarity._fold import unit_rows

__all__ = ["Bootstrap", "bootstrap"]


def bootstrap(prediction: Float[Tensor, "n d"], target: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    r"""How far predictions are from their targets: 0 where they align, 4 where they are opposite.

    .. math:: L = \frac1N \sum_i \Big\lVert \frac{q_i}{\lVert q_i \rVert} - \frac{t_i}{\lVert t_i \rVert} \Big\rVert^2
        = 2 - \frac2N \sum_i \cos(q_i, t_i)

    The target gets no gradient, and the cosine with a row of zeros counts as 0. One direction: BYOL and BGRL add (or
    average) the loss with the views' parts swapped.

    Args:
        prediction: ``[N, D]`` q, the predictor's output on the online embeddings of one view.
        target: ``[N, D]`` t, the target encoder's embeddings of the other view, row by row of the same items.

    Returns:
        A scalar in [0, 4], the mean over the items.

    Raises:
        ValueError: The shapes differ or there are no rows.
        TypeError: The embeddings are not floating point.

    Example:
        >>> import torch
        >>> z = torch.eye(3)
        >>> bootstrap(z, 2 * z), bootstrap(z, -z)
        (tensor(0.), tensor(4.))

    Source: Grill, Strub, Altche, Tallec, Richemond, Buchatskaya, Doersch, Avila Pires, Guo, Gheshlaghi Azar, Piot,
    Kavukcuoglu, Munos, Valko, "Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning", NeurIPS 2020,
    equation 2; Thakoor, Tallec, Azar, Azabou, Dyer, Munos, Velickovic, Valko, "Large-Scale Representation Learning on
    Graphs via Bootstrapping", ICLR 2022, whose loss is this less 2.
    """
    check_rows("prediction", prediction)
    check_rows("target", target)
    if prediction.shape != target.shape:
        raise ValueError(
            f"expected prediction and target of one shape [N, D], row by row of the same items, "
            f"got {list(prediction.shape)} and {list(target.shape)}"
        )
    check_alike(prediction=prediction, target=target)
    return 2 - 2 * (unit_rows(prediction) * unit_rows(target.detach())).sum(1).mean()


class Bootstrap(Objective):
    """Distance of predictions from targets; see :func:`bootstrap`.

    Example:
        >>> import torch
        >>> Bootstrap()(torch.eye(2), torch.eye(2).flip(0))  # at right angles
        tensor(2.)
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return bootstrap(prediction, target)
