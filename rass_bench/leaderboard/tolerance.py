"""How far a measured number may lie from a reported one and still confirm it.

Restoration: the median distance between two papers' numbers for one method with as many steps on
the same test set, over the 21 such pairs (20 where a paper leaves a metric out) of the reported
numbers that the boards hold. As near as that, half of all repetitions come. It is tight enough to
tell variants apart: luma by YIQ instead of BT.601 moves PSNR by 1.3 dB, a rounded luma SSIM by
0.001, MANIQA trained on KonIQ instead of PIPAL by 0.17.

Segmentation: half a point of mIoU, the least that another resize at test time is reported to move
it (mmsegmentation issues 2435 and 2804), so that a run at another test size is not within it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """The distance that still confirms a reported number.

    Attributes:
        value: in the metric's own unit.
        source: where it comes from.
    """

    value: float
    source: str


_PAPERS = "median distance of two papers' numbers for one method on the same test set"
_RESIZE = "least effect reported of another resize at test time (mmsegmentation issues 2435, 2804)"

TOLERANCES = {
    "miou/gt-present": Tolerance(0.005, _RESIZE),
    "miou/union": Tolerance(0.005, _RESIZE),
    "psnr/y601": Tolerance(0.05, _PAPERS),
    "ssim/y601-rounded": Tolerance(0.0044, _PAPERS),
    "lpips/alex": Tolerance(0.0039, _PAPERS),
    "dists": Tolerance(0.0012, _PAPERS),
    "fid/clean": Tolerance(2.15, _PAPERS),
    "niqe": Tolerance(0.0665, _PAPERS),
    "musiq/koniq": Tolerance(0.3, _PAPERS),
    "maniqa/pipal": Tolerance(0.0042, _PAPERS),
    "clipiqa": Tolerance(0.0059, _PAPERS),
}
"""By metric id; for other metrics no reported numbers say how far repetitions lie apart."""
