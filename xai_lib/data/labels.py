"""Class names of the data sets that have many, in label order."""

from __future__ import annotations


def _names(listed: str) -> tuple[str, ...]:
    """Split a list of names that holds no blanks within a name."""
    return tuple(listed.split())


NEWSGROUPS = _names(
    """
    alt.atheism comp.graphics comp.os.ms-windows.misc comp.sys.ibm.pc.hardware
    comp.sys.mac.hardware comp.windows.x misc.forsale rec.autos rec.motorcycles
    rec.sport.baseball rec.sport.hockey sci.crypt sci.electronics sci.med sci.space
    soc.religion.christian talk.politics.guns talk.politics.mideast talk.politics.misc
    talk.religion.misc
    """
)
R8 = ("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")
R52 = _names(
    """
    acq alum bop carcass cocoa coffee copper cotton cpi cpu crude dlr earn fuel gas gnp gold grain
    heat housing income instal-debt interest ipi iron-steel jet jobs lead lei livestock lumber
    meal-feed money-fx money-supply nat-gas nickel orange pet-chem platinum potato reserves retail
    rubber ship strategic-metal sugar tea tin trade veg-oil wpi zinc
    """
)
DBPEDIA = _names(
    """
    Company EducationalInstitution Artist Athlete OfficeHolder MeanOfTransportation Building
    NaturalPlace Village Animal Plant Album Film WrittenWork
    """
)
