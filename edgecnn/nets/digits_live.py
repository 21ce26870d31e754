"""digits-live: `digits` half as wide again, with an eleventh class for what is no digit; 89,603 parameters."""

from __future__ import annotations

from functools import partial

from edgecnn.nets.digits import build
from edgecnn.nets.net import Net
from edgecnn.nets.recipe import Augmentation, Recipe, Schedule
from edgecnn.spec import Fit, ImageSpec

DIGITS_LIVE = Net(
    name="digits-live",
    image=ImageSpec(28, 28, 1, fit=Fit.DIGIT),
    classes=11,
    build=partial(build, width=24, name="digits_live"),
    seed_recipe=None,
    recipe=Recipe(
        epochs=6,
        rate=4e-3,
        schedule=Schedule.ONE_CYCLE,
        augmentation=Augmentation(rotation=8, shift=0.07, shear=8, zoom=0.1),
        bfloat16=True,
    ),
    source="our own, for the data set of the same name",
    parameters=89_603,
    macs=11_598_240,
    least=12,
)
