"""Normalizing flows: the one interface that labs 4 and 5 share.

One direction everywhere, from data to latent:

    forward(x) -> (z, log_det)   log_det = log |det dz/dx|
    inverse(z) -> (x, log_det)   log_det = log |det dx/dz|

In both, log_det is that of the map just taken, one number per example, shape (B,): the two directions give opposite
numbers at the same point.
"""

from torch import Tensor, nn


class Flow(nn.Module):
    """An invertible map between x and z of the same number of dimensions, with a tractable log-determinant.

    As a density model it reads data: log p(x) = log p(z) + log_det with (z, log_det) = forward(x); inverse samples.

    A flow need not be able to do both. What a direction cannot do in closed form raises NotImplementedError.
    """

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to latent: (z, log_det), log_det = log |det dz/dx|, shape (B,)."""
        raise NotImplementedError(f"{type(self).__name__} has no forward: it only goes from z to x")

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Latent to data: (x, log_det), log_det = log |det dx/dz|, shape (B,)."""
        raise NotImplementedError(f"{type(self).__name__} has no inverse: it only goes from x to z")


def check_finite(**tensors: Tensor) -> None:
    """Refuse nan and infinite numbers in a batch, by name: one of them would make every weight nan.

    Raises:
        ValueError: says which argument, and how many of its numbers.
    """
    for name, values in tensors.items():
        if bad := int((~values.isfinite()).sum()):
            raise ValueError(f"{name} must be finite: {bad} of its {values.numel()} numbers are nan or infinite")


def same_shape(**tensors: Tensor) -> None:
    """Refuse what broadcasting would forgive.

    Raises:
        ValueError: lists the arguments with their shapes.
    """
    if len({values.shape for values in tensors.values()}) > 1:
        shapes = ", ".join(f"{name} {tuple(values.shape)}" for name, values in tensors.items())
        raise ValueError(f"shapes must be equal, broadcasting would hide that they differ: {shapes}")
