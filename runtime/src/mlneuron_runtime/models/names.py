"""Names of estimators as the guide writes them."""

import re

BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake(name: str) -> str:
    """RandomForestClassifier -> random_forest_classifier, XGBClassifier -> xgb_classifier."""
    return BOUNDARY.sub("_", name).lower()
